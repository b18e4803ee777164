"""What a user's `target.overrides` may name, and whether a field waits for the version after the last hop."""

from __future__ import annotations

from typing import Any

from migration.airflow import versions

# What the migration itself decides; an override would contradict the input.
NOT_OVERRIDABLE = ("Name", "AirflowVersion")
# Fields that hold only within a region.
REGIONAL_FIELDS = ("NetworkConfiguration", "SourceBucketArn", "KmsKey")
_MERGED = ("AirflowConfigurationOptions", "Tags")
_PUBLIC_AND_PRIVATE = "PUBLIC_AND_PRIVATE"
# Files that a user gives for the target's final version: an older one could not install or load them.
FILES = ("Requirements", "Plugins", "StartupScript")


def first_version(field: str, value: Any) -> versions.Version | None:
    """The first Airflow version that Amazon MWAA takes a field with that value for; None where each does.

    PUBLIC_AND_PRIVATE from 3.2 on says the API reference; `core.multi_team` came with Airflow 3.2; the sign-in by IAM
    Identity Center is documented for 3.x alone.
    """
    if field == "WebserverAccessMode":
        return versions.Version(3, 2, 0) if value == _PUBLIC_AND_PRIVATE else None
    return {"Teams": versions.Version(3, 2, 0), "IdentityCenterConfiguration": versions.Version(3, 0, 0)}.get(field)


def at_creation(overrides: dict[str, Any], airflow_version: str, hops: list[str]) -> dict[str, Any]:
    """The overrides that CreateEnvironment gets: not those that only the version after the last hop takes."""
    return {field: value for field, value in overrides.items() if not _waits(field, value, airflow_version, hops)}


def at_hop(overrides: dict[str, Any], import_version: str, hops: list[str], airflow_version: str) -> dict[str, Any]:
    """The overrides that the last hop brings, as fields of UpdateEnvironment; none for a hop on the way."""
    if not hops or airflow_version != hops[-1]:
        return {}
    waiting = {field: value for field, value in overrides.items() if _waits(field, value, import_version, hops)}
    if "Teams" in waiting:
        waiting["Teams"] = {"AddOrUpdate": waiting["Teams"]}
    return waiting


def gives_file(overrides: dict[str, Any], prefix: str, airflow_version: str, hops: list[str]) -> bool:
    """Whether a user's own file (`Requirements`, `Plugins`, `StartupScript`) is the target's at a version."""
    return f"{prefix}S3Path" in overrides and (not hops or airflow_version == hops[-1])


def _waits(field: str, value: Any, airflow_version: str, hops: list[str]) -> bool:
    since = first_version(field, value)
    is_file = field.removesuffix("S3Path").removesuffix("S3ObjectVersion") in FILES
    return bool(hops) and (is_file or (since is not None and versions.parse(airflow_version) < since))


def overridden(request: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """`request` with a user's overrides: maps merged key by key (None removes a key), all else replaced."""
    result = dict(request)
    for field, value in overrides.items():
        if field in _MERGED and isinstance(value, dict):
            merged = {**result.get(field, {}), **value}
            result[field] = {key: item for key, item in merged.items() if item is not None}
        else:
            result[field] = value
    return result
