"""The plan of a migration: what every later state works from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migration.airflow import path, ways_in
from migration.environments import environment
from migration.exchange import layout
from migration.model import Migration, Side
from migration.plan import migration_input

if TYPE_CHECKING:
    from migration.plan.target_size import Size


@dataclass(frozen=True)
class Attempt:
    """An attempt at a migration, and the stack that makes it.

    `bucket` is the exchange bucket, `region` and `import_version` are the stack's; an input may name another version to
    import at. `started` is ISO 8601 in UTC.
    """

    migration_id: str
    number: int
    bucket: str
    region: str
    import_version: str
    started: str

    @property
    def artifact_id(self) -> str:
        return artifact_id_of(self.migration_id, self.number)


def artifact_id_of(migration_id: str, attempt: int) -> str:
    """What names an attempt's artifact, by its number."""
    return migration_id if attempt == 1 else f"{migration_id}-{attempt}"


def make(
    attempt: Attempt, document: dict[str, Any], source: dict[str, Any], size: Size, target: dict[str, Any] | None = None
) -> Migration:
    """The plan for an input (`document`, valid and complete) and its source.

    `target` is the environment that is adopted; both are GetEnvironment's answers.
    """
    request, given = document["target"], document["target"]["overrides"]
    overrides = {**size.fields, **given}
    its_class = (target or overrides).get("EnvironmentClass", source.get("EnvironmentClass", ""))
    import_version = document["options"]["importVersion"] or attempt.import_version
    versions = path.of(source["AirflowVersion"], request["airflowVersion"], document["options"]["path"], import_version)
    way_in = ways_in.of(document["options"]["wayIn"], versions[1], overrides)
    old, new = _sides(attempt, document, source, overrides)
    if target is not None:
        new = _side(target, new["region"])
    return Migration(
        id=attempt.migration_id,
        attempt=attempt.number,
        mode=document["mode"],
        artifactId=attempt.artifact_id,
        artifact=f"s3://{attempt.bucket}/{layout.artifact(attempt.artifact_id)}",
        bucket=attempt.bucket,
        executionDate=f"{attempt.started[:19]}+00:00",
        source=old,
        target=new,
        adopted=target is not None,
        overrides=overrides,
        targetClass=its_class,
        classOnTheDay=its_class if target else given.get("EnvironmentClass", source.get("EnvironmentClass", "")),
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


def _sides(
    attempt: Attempt, document: dict[str, Any], source: dict[str, Any], overrides: dict[str, Any]
) -> tuple[Side, Side]:
    """The source and the target."""
    name = document["target"]["environment"]
    source_region, target_region = migration_input.regions(document, attempt.region)
    source_bucket = environment.bucket_name(source["SourceBucketArn"])
    target_bucket = environment.bucket_name(overrides.get("SourceBucketArn", source["SourceBucketArn"]))
    # A folder of its own, so that neither environment sees the other's DAGs.
    default_path = source["DagS3Path"] if target_bucket != source_bucket else f"{name}/dags"
    return (
        _side(source, source_region),
        Side(
            environment=name,
            region=target_region,
            airflowVersion=document["target"]["airflowVersion"],
            executionRoleArn=overrides.get("ExecutionRoleArn", source["ExecutionRoleArn"]),
            bucket=target_bucket,
            dagsPath=overrides.get("DagS3Path", default_path),
        ),
    )


def _side(found: dict[str, Any], region: str) -> Side:
    """An environment that exists (GetEnvironment's answer)."""
    return Side(
        environment=found["Name"],
        region=region,
        airflowVersion=found["AirflowVersion"],
        executionRoleArn=found["ExecutionRoleArn"],
        bucket=environment.bucket_name(found["SourceBucketArn"]),
        dagsPath=found["DagS3Path"],
    )
