"""What the probe found in the source's metadata database, before anything is paused: as a check of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migration import errors, wording
from migration.checks.check_results import Check, Finding, Result

NAME = "Source database"
_GIGABYTE = 1e9


def check(found: Mapping[str, Any]) -> Check:
    """From the result of the engine's check. It fails where the export would be refused."""
    problems = [
        Finding(message=f"{one['name']}: {one['message']}", remedy="Fix it in the source.") for one in found["problems"]
    ]
    changes = _changes(found)
    unfinished = found["unfinished"]
    result: Result = "fail" if problems else "warn" if changes else "pass"
    return Check(
        name=NAME,
        result=result,
        message=f"{_size(found)} {_needs(found)} {wording.counted(unfinished['dag_runs'], 'run')} and "
        f"{wording.counted(unfinished['task_instances'], 'task instance')} are unfinished.",
        remedy={
            "fail": "The export would be refused: fix what is named, or choose in options what stays behind.",
            "warn": "Decide whether to fix these rows in the source; otherwise they stay behind or change.",
        }.get(result),
        findings=[*problems, *changes],
    )


def require_exportable(found: Mapping[str, Any]) -> None:
    """Raises the first problem, under the engine's name of it, with what the others say."""
    if found["problems"]:
        first, *others = found["problems"]
        more = "".join(f" {other['name']}: {other['message']}" for other in others)
        raise errors.named(first["name"], f"check of the source: {first['message']}{more} Nothing was paused.")


def _size(found: Mapping[str, Any]) -> str:
    tables = found["tables"].values()
    rows, size = sum(table["rows"] for table in tables), sum(table["bytes"] for table in tables)
    return (
        f"Airflow {found['airflow_version']} at revision {found['revision']}, schema {found['schema']}: "
        f"{wording.counted(rows, 'row')} and {size / _GIGABYTE:.1f} GB with indexes."
    )


def _needs(found: Mapping[str, Any]) -> str:
    estimate = found["estimate"]
    seconds = wording.duration(estimate["export_seconds"]), wording.duration(estimate["import_seconds"])
    return (
        f"By our measurements the export takes {seconds[0]}, the import {seconds[1]}, and "
        f"{estimate['disk_bytes'] / _GIGABYTE:.1f} GB of the target's disk for that time."
    )


def _changes(found: Mapping[str, Any]) -> list[Finding]:
    aside = [
        f"{wording.counted(rows['rows'], 'row')} of {rows['table']} ({', '.join(rows['examples'])}) would stay behind: "
        f"{rows['reason']}."
        for rows in found["set_aside"]
    ]
    changed = [
        f"{wording.counted(rows['rows'], 'row')} of {rows['table']} ({', '.join(rows['examples'])}) will be changed: "
        f"{rows['reason']}."
        for rows in found["will_change"]
    ]
    unread = [f"{line}." for line in found["not_examined"]]
    lost = [
        f"{name} cannot be decrypted with the source's Fernet key, and would stay behind."
        for name in found["undecryptable"]
    ]
    orphans = [f"{line}." for line in found["without_parent"]]
    return [Finding(message=message) for message in (*aside, *changed, *unread, *lost, *orphans)]
