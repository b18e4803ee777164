"""What is judged on the target's version: what each check found, kept for the report, whose verdict follows from it.

A failed check fails no rehearsal's execution. A migration's is stopped by it, before anything is paused (`gate`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from migration.exchange import layout

if TYPE_CHECKING:
    from migration.exchange.store import Store

Result = Literal["pass", "warn", "fail"]


class Finding(TypedDict, total=False):
    """One place, as report.schema.json has it. `file` is a path below the DAG folder, `line` counts from 1."""

    dag: str | None
    file: str | None
    line: int | None
    message: str | None
    remedy: str | None
    detail: str | None


class Check(TypedDict):
    """As in report.schema.json, `checks`: `name` in a few words, `message` a sentence, `remedy` what to do."""

    name: str
    result: Result
    message: str
    remedy: NotRequired[str | None]
    findings: NotRequired[list[Finding]]


def write(store: Store, part: str, found: list[Check]) -> None:
    """Keeps the checks of one part, in place of what an earlier try of it has kept."""
    store.write(layout.checks(part), found)


def read(store: Store) -> list[Check]:
    """The checks of all parts, by the parts' names; empty where nothing was checked."""
    return [check for name in store.names(layout.CHECKS) for check in store.read(name)]
