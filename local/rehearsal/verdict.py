"""Whether a rehearsal went well: its report, the logs that the target shows, and what is left of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from local.rehearsal import old_logs
from local.rehearsal.inventory import inventory
from local.rehearsal.settings import SOURCE_NAME, TARGET_NAME, Settings
from local.rehearsal.target_inspection import NotInspected, TargetInspection
from migration.report import judging


def is_verified(report: Mapping[str, Any]) -> bool:
    """Whether a report says that everything arrived, and has no finding that speaks against the target's version."""
    tables = report.get("tables") or {}
    return bool(
        report.get("status") == "SUCCEEDED"
        and judging.verdict(report) != judging.FAIL
        and report.get("verified", False)
        and tables
        and all(table.get("match") for table in tables.values())
        and not (report.get("logs") or {}).get("events_lost")
    )


def check_old_logs(
    settings: Settings,
    aws: AwsWithMwaa,
    inspection: TargetInspection,
    say: Callable[[str], None],
    console: Console,
) -> bool:
    """Prints how many logs of the source's runs the target's Airflow shows; returns whether it shows all."""
    try:
        # A rehearsal's target was asked before it was deleted.
        logs = inspection.old_logs() if settings.mode == "rehearse" else old_logs.read(aws, SOURCE_NAME, TARGET_NAME)
    except NotInspected as error:
        console.print(str(error), style="bold red", markup=False)
        return False
    say(f"the target's Airflow shows {logs.read - len(logs.missing)} of {logs.read} logs of old runs")
    for missing in logs.missing:
        console.print(f"missing in {missing}", style="bold red", markup=False)
    return not logs.missing


def check_leftovers(
    aws: AwsWithMwaa, source: Environment, before: set[str], say: Callable[[str], None], console: Console
) -> bool:
    """Prints what there is now and was not before; returns whether there is nothing."""
    after = inventory(aws, source)
    left = sorted(after - before)
    if not left:
        say(
            f"nothing of it is left: the listing of {len(after)} things (environments, objects, grants...) is as before"
        )
    for thing in left:
        console.print(f"left: {thing}", style="bold red", markup=False, highlight=False)
    return not left
