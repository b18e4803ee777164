"""What stands against adopting an environment that exists as a migration's target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from migration import errors
from migration.airflow import path, versions
from migration.environments.environment import THROW_AWAY_TAG
from migration.json_schema import Problem

_WHERE = "target.environment"
_PAUSED_AT_CREATION = "core.dags_are_paused_at_creation"


def problems(document: dict[str, Any], source: dict[str, Any], target: dict[str, Any]) -> Iterator[Problem]:
    """What the target itself says against it. Both environments are GetEnvironment's answers.

    `document` is valid and complete; it may name the version that it expects the target to have.
    """
    name, version = target["Name"], target["AirflowVersion"]
    if target["Status"] != "AVAILABLE":
        yield _unfit(_WHERE, f"{name} is {target['Status']}; start again when it is AVAILABLE")
    if THROW_AWAY_TAG in target.get("Tags", {}):
        yield _unfit(_WHERE, f"{name} is a rehearsal's target and will be deleted; name another environment")
    expected = document["target"].get("airflowVersion", version)
    if expected != version:
        yield _unfit(
            "target.airflowVersion",
            f"{name} runs Airflow {version}, not {expected}; an adopted target is never upgraded. Leave airflowVersion "
            "out, or start again when your code has upgraded it",
        )
    yield from _version_problems(source["AirflowVersion"], name, version)
    options = target.get("AirflowConfigurationOptions", {})
    if options.get(_PAUSED_AT_CREATION, "True").lower() in ("false", "f", "0"):
        yield _unfit(
            _WHERE,
            f"{name} has {_PAUSED_AT_CREATION} False, so the source's DAGs would run there before the cut-over; have "
            "your code set it to True until then",
        )


def missing(name: str, region: str) -> Problem:
    """That there is no environment to adopt."""
    return Problem(
        errors.TargetNotFound.__name__,
        _WHERE,
        f"there is no environment {name!r} in {region} to adopt; correct the name or target.region, or leave adopt out "
        "to have it made",
    )


def _version_problems(source: str, name: str, version: str) -> Iterator[Problem]:
    if versions.parse(version) < versions.parse(source):
        yield Problem(
            errors.Downgrade.__name__,
            _WHERE,
            f"{name} runs Airflow {version}, which is older than the source's {source}; history only goes forward",
        )
    elif not path.is_direct(source, version, path.AUTO):
        yield Problem(
            errors.PathUnfit.__name__,
            _WHERE,
            f"{name} runs Airflow {version}, whose own migrations begin at {path.oldest_source(version)}, and the "
            f"source runs {source}. An adopted target is never upgraded: have your code make it at 2.11 and upgrade it "
            "after the cut-over, or leave adopt out",
        )


def _unfit(where: str, message: str) -> Problem:
    return Problem(errors.TargetUnfit.__name__, where, message)
