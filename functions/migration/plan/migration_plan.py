"""The plan of a migration: what every later state works from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.airflow import path, ways_in
from migration.environments import environment
from migration.exchange import layout
from migration.model import Migration, Side
from migration.plan import migration_input

if TYPE_CHECKING:
    from migration.plan.target_size import Size


def make(
    *,
    migration_id: str,
    attempt: int,
    bucket: str,
    region: str,
    import_version: str,
    execution_date: str,
    document: dict[str, Any],
    source: dict[str, Any],
    size: Size,
) -> Migration:
    """The plan for an input (`document`, valid and complete) and a source (GetEnvironment's answer)."""
    request, given = document["target"], document["target"]["overrides"]
    overrides = {**size.fields, **given}
    its_class = source.get("EnvironmentClass", "")
    source_region, target_region = migration_input.regions(document, region)
    way = document["options"]["path"]
    versions = path.of(source["AirflowVersion"], request["airflowVersion"], way, import_version)
    way_in = ways_in.of(document["options"]["wayIn"], versions[1], overrides)
    artifact_id = migration_id if attempt == 1 else f"{migration_id}-{attempt}"
    source_bucket = environment.bucket_name(source["SourceBucketArn"])
    target_bucket = environment.bucket_name(overrides.get("SourceBucketArn", source["SourceBucketArn"]))
    # A folder of its own, so that neither environment sees the other's DAGs.
    default_path = source["DagS3Path"] if target_bucket != source_bucket else f"{request['environment']}/dags"
    return Migration(
        id=migration_id,
        attempt=attempt,
        mode=document["mode"],
        artifactId=artifact_id,
        artifact=f"s3://{bucket}/{layout.artifact(artifact_id)}",
        bucket=bucket,
        executionDate=execution_date,
        source=Side(
            environment=source["Name"],
            region=source_region,
            airflowVersion=source["AirflowVersion"],
            executionRoleArn=source["ExecutionRoleArn"],
            bucket=source_bucket,
            dagsPath=source["DagS3Path"],
        ),
        target=Side(
            environment=request["environment"],
            region=target_region,
            airflowVersion=request["airflowVersion"],
            executionRoleArn=overrides.get("ExecutionRoleArn", source["ExecutionRoleArn"]),
            bucket=target_bucket,
            dagsPath=overrides.get("DagS3Path", default_path),
        ),
        overrides=overrides,
        targetClass=overrides.get("EnvironmentClass", its_class),
        classOnTheDay=given.get("EnvironmentClass", its_class),
        notes=[note for note in (size.note, ways_in.note(way_in)) if note],
        importVersion=versions[1],
        path=versions,
        hops=versions[2:],
        direct=path.is_at_airflow_3(versions[1]),
        wayIn=way_in,
        options=document["options"],
        finished=[],
        rollBack=False,
    )
