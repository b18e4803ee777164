"""What Amazon MWAA checks before it accepts an environment, or a change of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local.aws.iam.identity import RoleNotFound
from local.aws.responses import AwsError
from local.installations import airflow_installation
from local.mwaa.surroundings import Surroundings

#: The release of 2.x from whose latest patch an environment can be upgraded to 3.x.
_LAST_OF_2 = (2, 11)
_OBJECTS = (
    ("RequirementsS3Path", "RequirementsS3ObjectVersion"),
    ("PluginsS3Path", "PluginsS3ObjectVersion"),
    ("StartupScriptS3Path", "StartupScriptS3ObjectVersion"),
)


def check_settings(settings: Mapping[str, Any], surroundings: Surroundings) -> None:
    """
    Raises:
        AwsError: ValidationException.
    """
    _check_role(settings["ExecutionRoleArn"], surroundings)
    version, known = settings["AirflowVersion"], airflow_installation.versions()
    if version not in known:
        raise _invalid(f"The Airflow version {version} is not supported here; choose one of {', '.join(known)}.")
    if settings["MinWorkers"] > settings["MaxWorkers"]:
        raise _invalid("MinWorkers must not be greater than MaxWorkers.")
    _check_bucket(settings, surroundings)


def check_upgrade(current: str, wanted: str | None) -> None:
    """Whether an environment can be updated to a version; docs/local-aws.md names what an account allows beyond that.

    Raises:
        AwsError: ValidationException.
    """
    if wanted is None or wanted == current:
        return
    before, after = (tuple(int(part) for part in version.split(".")) for version in (current, wanted))
    latest = [v for v in airflow_installation.versions() if v.startswith("2.11.")][-1]
    if after < before:
        raise _invalid(f"Downgrading from {current} to {wanted} is not supported here.")
    if after[0] > before[0] and not (before[:2] == _LAST_OF_2 and current == latest):
        raise _invalid(f"An environment can be upgraded to {after[0]}.x only from {latest}; this one is {current}.")
    if after[0] > before[0] + 1:
        raise _invalid(f"Upgrading from {current} to {wanted} is not supported.")


def _check_role(role: str, surroundings: Surroundings) -> None:
    try:
        trusted = surroundings.identities.trusts(role, "airflow-env.amazonaws.com")
    except RoleNotFound as error:
        raise _invalid(f"The execution role does not exist: {role}") from error
    if not trusted:
        raise _invalid(
            f"The execution role {role} must be assumable by airflow-env.amazonaws.com and airflow.amazonaws.com."
        )


def _check_bucket(settings: Mapping[str, Any], surroundings: Surroundings) -> None:
    bucket = settings["SourceBucketArn"].split(":")[-1]
    s3 = surroundings.service_client("s3")
    try:
        if s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
            raise _invalid(f"The bucket {bucket} must have versioning enabled.")
        location = s3.get_bucket_location(Bucket=bucket).get("LocationConstraint") or "us-east-1"
        if location != surroundings.region:
            raise _invalid(f"The bucket {bucket} is in {location}, not in this region.")
        for path, version in _OBJECTS:
            if settings.get(path):
                chosen = {"VersionId": settings[version]} if settings.get(version) else {}
                s3.head_object(Bucket=bucket, Key=settings[path], **chosen)
    except ClientError as error:
        raise _invalid(f"The bucket {bucket} or an object in it: {error}") from error


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)
