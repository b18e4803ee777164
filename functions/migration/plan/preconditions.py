"""The preconditions of a migration, which must hold before anything is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from migration import errors
from migration.airflow import path, versions, ways_in
from migration.aws.client_errors import code_of, is_transient
from migration.environments import environment, overriding, requests
from migration.environments.s3_objects import folder
from migration.json_schema import Problem
from migration.model import Migration, Side
from migration.plan import adopted_target, migration_input

if TYPE_CHECKING:
    from botocore.model import StructureShape
    from mypy_boto3_s3 import S3Client


def environment_problems(
    document: dict[str, Any],
    region: str,
    import_version: str,
    source: dict[str, Any] | None,
    target: dict[str, Any] | None,
    migration_id: str,
    shape: StructureShape,
) -> Iterator[Problem]:
    """What the environments themselves say against the migration. `shape` is CreateEnvironment's input."""
    request = document["target"]
    name = document["source"]["environment"]
    source_region, target_region = migration_input.regions(document, region)
    if source is None:
        yield _problem(
            errors.SourceNotFound,
            "source.environment",
            f"there is no environment {name!r} in {source_region}; check the name and source.region",
        )
        return
    if source["Status"] != "AVAILABLE":
        yield _problem(
            errors.SourceNotAvailable,
            "source.environment",
            f"{name} is {source['Status']}; wait until it is AVAILABLE or fix it: its DAGs must be able to run",
        )
    if (name, source_region) == (request["environment"], target_region):
        yield _problem(errors.SameEnvironment, "target.environment", f"{name} is the source; name a new environment")
    elif migration_input.adopts(document):
        yield from (
            adopted_target.problems(document, source, target)
            if target is not None
            else [adopted_target.missing(request["environment"], target_region)]
        )
    elif target is not None:
        yield from _target_problems(target, migration_id, _import_version(source, document, import_version))
    if migration_input.adopts(document):
        yield from _source_version_problems(source["AirflowVersion"])
        yield from _override_problems(request["overrides"], shape)
        return
    way = document["options"]["path"]
    yield from _version_problems(source["AirflowVersion"], request["airflowVersion"], way, import_version)
    yield from _way_in_problems(
        document, path.of(source["AirflowVersion"], request["airflowVersion"], way, import_version)[1]
    )
    yield from _override_problems(request["overrides"], shape)
    if target_region != source_region:
        yield from _missing_overrides(request["overrides"], source)
    yield from _too_early(request["overrides"], request["airflowVersion"])


def scheduler_down(name: str) -> Problem:
    """That a source's schedulers have stopped."""
    return _problem(
        errors.SourceSchedulerDown,
        "source.environment",
        f"{name}'s schedulers have had no heartbeat for 20 minutes (SchedulerHeartbeat in CloudWatch); look at their "
        "log group, and start again when its DAGs run",
    )


def _import_version(source: dict[str, Any], document: dict[str, Any], between: str) -> str:
    """The version at which the target is made; `between` is the 2.11 of the path through it."""
    final, way = document["target"]["airflowVersion"], document["options"]["path"]
    return path.of(source["AirflowVersion"], final, way, between)[1]


def _target_problems(target: dict[str, Any], migration_id: str, import_version: str) -> Iterator[Problem]:
    owner = target.get("Tags", {}).get(environment.MIGRATION_TAG)
    if owner != migration_id:
        told = f"was made by migration {owner}; give its input or its migrationId" if owner else "exists already"
        yield _problem(
            errors.TargetExists, "target.environment", f"{target['Name']} {told}, or name another target, or delete it"
        )
    elif target["Status"] in ("CREATE_FAILED", "DELETING", "UNAVAILABLE", "UPDATE_FAILED"):
        yield _problem(
            errors.TargetUnfit,
            "target.environment",
            f"{target['Name']} is left from this migration and is {target['Status']}; delete it and start again",
        )
    elif target.get("AirflowVersion", import_version) != import_version:
        # As one that has had its hop before it was rolled back.
        yield _problem(
            errors.TargetUnfit,
            "target.environment",
            f"{target['Name']} is left from this migration and runs Airflow {target['AirflowVersion']}; the import is "
            f"for {import_version}. Delete it and start again",
        )


def _source_version_problems(source: str) -> Iterator[Problem]:
    if versions.parse(source) < versions.parse(versions.OLDEST_SOURCE):
        yield _problem(
            errors.SourceTooOld,
            "source.environment",
            f"it runs Airflow {source}; {versions.OLDEST_SOURCE} is the oldest",
        )


def _version_problems(source: str, target: str, way: str, import_version: str) -> Iterator[Problem]:
    old, new, between = (versions.parse(text) for text in (source, target, import_version))
    where = "target.airflowVersion"
    yield from _source_version_problems(source)
    if new < old:
        yield _problem(
            errors.Downgrade, where, f"{target} is older than the source's {source}; history only goes forward"
        )
    elif path.is_at_airflow_3(source):
        if way == path.THROUGH:
            yield _problem(
                errors.PathUnfit,
                "options.path",
                f"the source runs Airflow {source}, which is after 2.11; leave path out, or give {path.DIRECT}",
            )
    elif new.major >= 3 and way == path.DIRECT:
        if old < path.oldest_source(target):
            yield _problem(
                errors.PathUnfit,
                "options.path",
                f"Airflow {target}'s own migrations begin at {path.oldest_source(target)}, and the source runs "
                f"{source}; leave path out, or give {path.THROUGH}",
            )
    elif not path.is_direct(source, target, way) and not (old <= between < versions.Version(3, 0, 0)):
        yield _problem(
            errors.ImportVersionUnfit,
            "options.importVersion",
            f"{import_version} does not lie between the source's {source} and 3.0; give the latest 2.11 of Amazon MWAA",
        )


def _way_in_problems(document: dict[str, Any], import_version: str) -> Iterator[Problem]:
    if document["options"]["wayIn"] != ways_in.PLUGIN:
        return
    if not path.is_at_airflow_3(import_version):
        yield _problem(
            errors.WayInUnfit,
            "options.wayIn",
            f"the import runs in Airflow {import_version}, whose tasks have the database; leave wayIn out",
        )
    if "PluginsS3Path" in document["target"]["overrides"]:
        yield _problem(
            errors.WayInUnfit,
            "options.wayIn",
            "the plugin is put beside the source's plugins, and target.overrides.PluginsS3Path names others; leave one "
            "of the two out",
        )


def _override_problems(overrides: dict[str, Any], shape: StructureShape) -> Iterator[Problem]:
    for field in overrides:
        if field in overriding.NOT_OVERRIDABLE:
            yield _problem(
                errors.OverrideInvalid, f"target.overrides.{field}", "is given by target.environment and airflowVersion"
            )
        elif field not in shape.members:
            yield _problem(
                errors.UnknownOverride,
                f"target.overrides.{field}",
                f"CreateEnvironment has no such field; it has {', '.join(sorted(shape.members))}",
            )
    known = {field: value for field, value in overrides.items() if field in shape.members}
    merged = overriding.overridden({}, known)
    # Only what is given is judged: required fields come from the source.
    for line in requests.model_problems(merged, shape):
        if not line.startswith("Missing required parameter in input:"):
            yield _problem(errors.OverrideInvalid, "target.overrides", line)


def _missing_overrides(overrides: dict[str, Any], source: dict[str, Any]) -> Iterator[Problem]:
    """What a target in another region needs of its own."""
    for field in overriding.REGIONAL_FIELDS:
        if source.get(field) and field not in overrides:
            yield _problem(
                errors.OverrideMissing,
                f"target.overrides.{field}",
                "is required, because the target lies in another region, where the source's is of no use",
            )


def _too_early(overrides: dict[str, Any], airflow_version: str) -> Iterator[Problem]:
    for field, value in overrides.items():
        since = overriding.first_version(field, value)
        if since is not None and versions.parse(airflow_version) < since:
            what = f"{value} " if isinstance(value, str) else ""
            yield _problem(
                errors.OverrideInvalid,
                f"target.overrides.{field}",
                f"{what}is for Airflow {since.major}.{since.minor} and later; the target is to run {airflow_version}",
            )


def place_problems(plan: Migration, s3: dict[str, S3Client]) -> Iterator[Problem]:
    """What the buckets say against the migration. `s3` has a client for each region of the plan."""
    source, target = plan["source"], plan["target"]
    yield from _bucket_problems("source.environment", source, s3[source["region"]])
    its_bucket, its_folder = (
        ("target.environment",) * 2
        if plan["adopted"]
        else ("target.overrides.SourceBucketArn", "target.overrides.DagS3Path")
    )
    if (target["bucket"], target["region"]) != (source["bucket"], source["region"]):
        yield from _bucket_problems(its_bucket, target, s3[target["region"]])
    ours, theirs = (folder(side["dagsPath"]) for side in (target, source))
    if target["bucket"] == source["bucket"] and (ours.startswith(theirs) or theirs.startswith(ours)):
        yield _problem(
            errors.FolderShared,
            its_folder,
            f"s3://{target['bucket']}/{ours} and the source's {theirs} overlap; give the target a folder of its own",
        )


def _bucket_problems(where: str, side: Side, s3: S3Client) -> Iterator[Problem]:
    bucket, region = side["bucket"], side["region"]
    try:
        answer: dict[str, Any] = dict(s3.get_bucket_location(Bucket=bucket))
        # us-east-1 is answered as None, eu-west-1 by old buckets as EU.
        location = answer.get("LocationConstraint") or "us-east-1"
        versioning = s3.get_bucket_versioning(Bucket=bucket).get("Status")
    except ClientError as error:
        if is_transient(error):
            raise
        yield _problem(
            errors.BucketNotFound,
            where,
            f"the DAG bucket {bucket} cannot be looked at ({code_of(error)}); check its name, its policy and the "
            "stack's DagBucketArns",
        )
        return
    if ("eu-west-1" if location == "EU" else location) != region:
        yield _problem(
            errors.BucketInOtherRegion,
            where,
            f"the DAG bucket {bucket} lies in {location}, its environment in {region}",
        )
    if versioning != "Enabled":
        yield _problem(errors.BucketNotVersioned, where, f"turn on versioning of the DAG bucket {bucket}")


def refusal(found: list[Problem]) -> errors.MigrationError:
    """The error that a refused migration ends with: the problem's own name, or a list under one name."""
    if len(found) == 1:
        return errors.named(found[0].name, f"{found[0].path}: {found[0].message}")
    return errors.PreconditionsFailed("; ".join(str(problem) for problem in found))


def _problem(kind: type[errors.MigrationError], path: str, message: str) -> Problem:
    return Problem(kind.__name__, path, message)
