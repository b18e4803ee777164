"""What the probe found in an Airflow 3 that imports directly, before anything is paused: as a check of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from migration import errors
from migration.airflow import path, ways_in
from migration.checks.check_results import Check

if TYPE_CHECKING:
    from migration.model import Migration

NAME = "Target database"


def check(found: Mapping[str, Any]) -> Check:
    """From the result of the engine's check."""
    by_plugin = found["way_in"] == ways_in.PLUGIN
    who = "A process beside the scheduler" if by_plugin else "A task"
    return Check(
        name=NAME,
        result="pass",
        message=f"{who} of Airflow {found['airflow_version']} reaches the metadata database ({found['way_in']}), and "
        "its migrations know the source's revision.",
    )


def refused(migration: Migration, message: str) -> Check:
    """Of a migration that goes through 2.11 instead. `message` is the engine's."""
    return Check(
        name=NAME,
        result="warn",
        message=f"No direct import into Airflow {migration['target']['airflowVersion']}: {message}",
        remedy="The migration goes through 2.11. Plan the day with the upgrade in place, which can take two hours; "
        f"{path.THROUGH} as options.path spares the detour.",
    )


def explained(migration: Migration, failure: errors.MigrationError) -> errors.MigrationError:
    """The engine's refusal, under its name, with what to do about it here."""
    if path.is_at_airflow_3(migration["source"]["airflowVersion"]):
        instead = "No other path leads on from a source at Airflow 3."
    else:
        instead = f"With {path.AUTO} as options.path the migration goes through 2.11 then."
    return errors.named(type(failure).__name__, f"check of the target: {failure} Nothing was paused. {instead}")
