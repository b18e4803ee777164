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


#: The release from which on a field is taken, or one value of it (API reference; the docs name 3.x for the last).
_SINCE: Mapping[str, tuple[tuple[int, ...], str | None]] = {
    "WebserverAccessMode": ((3, 2), "PUBLIC_AND_PRIVATE"),
    "Teams": ((3, 2), None),
    "IdentityCenterConfiguration": ((3,), None),
}
_MICRO = "mw1.micro"


def defaults(environment_class: str, airflow_version: str) -> dict[str, int]:
    """The numbers of schedulers and web servers of an environment that does not name them."""
    least = 1 if environment_class == _MICRO else 2
    schedulers = 1 if airflow_version.startswith("1.") else least
    return {"Schedulers": schedulers, "MinWebservers": least, "MaxWebservers": least}


def check_fields(settings: Mapping[str, Any]) -> None:
    """What the class and the version of an environment take.

    Raises:
        AwsError: ValidationException.
    """
    version, its = settings["AirflowVersion"], settings["EnvironmentClass"]
    release = tuple(int(part) for part in version.split("."))
    for field, (since, value) in _SINCE.items():
        if settings.get(field) and value in (None, settings[field]) and release < since:
            what = field if value is None else f"{field} {value}"
            raise _invalid(f"{what} is not supported for Airflow {version}.")
    for field, least in defaults(its, version).items():
        number = settings[field]
        if number < least or (number > 1 and (its == _MICRO or (field == "Schedulers" and release < (2,)))):
            raise _invalid(f"{field} {number} is not supported for {its} with Airflow {version}.")


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
    check_fields(settings)
    _check_bucket(settings, surroundings)


def updated(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """An environment's settings after an update. An empty path takes a file away, as the API model lets it."""
    after = {name: value for name, value in {**settings, **changes}.items() if value != ""}
    after["LoggingConfiguration"] = {**settings["LoggingConfiguration"], **changes.get("LoggingConfiguration", {})}
    return after


def check_upgrade(current: str, wanted: str | None) -> None:
    """Whether an environment can be updated to a version (user guide, upgrading; 3.x can go back to 2.11).

    Raises:
        AwsError: ValidationException.
    """
    if wanted is None or wanted == current:
        return
    before, after = (tuple(int(part) for part in version.split(".")) for version in (current, wanted))
    latest = [v for v in airflow_installation.versions() if v.startswith("2.11.")][-1]
    if before[0] == 3 and wanted == latest:
        return
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
