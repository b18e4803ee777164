"""Whether history and logs have arrived: what verify and the copy of the logs have found, as one check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from migration import wording
from migration.checks.check_results import Check, Finding

NAME = "History and logs"


def differs(table: Mapping[str, Any]) -> bool:
    """Whether a table of verify's result is not what it should be.

    Every exported row was merged, kept (the target had it), or set aside (by Airflow's own migrations).
    """
    accounted = table["merged"] + table["kept"] + table["set_aside"]
    return not table["match"] or table["exported"] != accounted


def check(verified: Mapping[str, Any] | None, logs: Mapping[str, Any] | None, groups: Sequence[str]) -> Check:
    """
    Args:
        verified: verify's result (`verified`, `tables`); None where there is none.
        logs: the result of the copy of the logs; None where there is none.
        groups: the log groups that were to be copied.
    """
    tables: Mapping[str, Mapping[str, Any]] = (verified or {}).get("tables", {})
    different = sorted(name for name, table in tables.items() if differs(table))
    equal = sorted(name for name in tables if name not in different)
    well = bool(verified and verified.get("verified")) and not different
    arrived = not groups or (logs is not None and not logs.get("events_lost"))
    return Check(
        name=NAME,
        result="pass" if well and arrived else "fail",
        message=f"{_history(tables, different)} {_logs(logs, groups)}",
        remedy=None if well and arrived else "Keep the source, and find out why before you migrate.",
        findings=[
            *(Finding(message=f"{_rows(name, tables)}, not equal") for name in different),
            *(Finding(message=f"{_rows(name, tables)}, equal") for name in equal),
        ],
    )


def _history(tables: Mapping[str, Mapping[str, Any]], different: Sequence[str]) -> str:
    if not tables:
        return "The tables were not compared."
    rows = wording.counted(sum(table["exported"] for table in tables.values()), "row")
    found = f"not equal in {wording.listed(different)}" if different else "equal"
    return f"{rows} of {wording.counted(len(tables), 'table')} were compared: {found}."


def _rows(name: str, tables: Mapping[str, Mapping[str, Any]]) -> str:
    return f"{name}: {wording.counted(tables[name]['exported'], 'row')}"


def _logs(logs: Mapping[str, Any] | None, groups: Sequence[str]) -> str:
    if not groups:
        return "No logs were to be copied."
    if logs is None:
        return "The copy of the logs has left no result."
    events = wording.counted(logs.get("events_source") or 0, "log event")
    copied, archived, lost = (wording.count(logs.get(f"events_{what}") or 0) for what in ("copied", "archived", "lost"))
    return f"Of {events} {copied} were copied, {archived} archived, {lost} lost."
