"""What a copy is asked for: the same for a migration and for an execution that copies logs alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from migration import errors, json_schema, phase_names, wording
from migration.exchange import layout
from migration.logs.clock import DAY
from migration.logs.quotas import share
from migration.model import Migration

SCHEMA_FILE = Path(__file__).with_name("copy_logs.schema.json")


class End(TypedDict):
    """One end of a copy. `role`: the role of another account to take, or None."""

    environment: str
    region: str
    role: str | None


class LogCopy(TypedDict):
    """A copy as its functions get it; `prefix` is where it lies in the exchange bucket.

    `phase` is the migration's phase that it is, noted under `phases`, a prefix too. `early`: the prefix of the copy
    that was made before, while the source still ran, or None (`early`).
    `start` and `end` (milliseconds; `end` exclusive) are the times of the events that are copied. `failedOf`: the
    artifact whose failed task instances are the only ones copied, or None. `lenient`: a source group that does not
    exist has nothing to copy. `paces`: the most calls a second, by operation, of all `workers` together.
    `batches`: in the manifest, once it is made.
    """

    id: str
    attempt: int
    bucket: str
    prefix: str
    phases: str
    phase: str
    early: str | None
    source: End
    target: End
    groups: list[str]
    dags: str
    failedOf: str | None
    lenient: bool
    start: int
    end: int
    workers: int
    paces: dict[str, float]
    batches: int


@dataclass(frozen=True)
class _Scope:
    """What differs between a migration's copies and one that an execution makes alone; the terms are LogCopy's.

    `early`: whether it is a migration's early copy; None for a copy that belongs to no migration.
    """

    copy_id: str
    attempt: int
    bucket: str
    early: bool | None
    dags: str
    failed_of: str | None
    lenient: bool


def of_migration(migration: Migration, now: float, quotas: dict[str, Any], *, early: bool) -> LogCopy:
    """One of the two copies that belong to a migration, of events until `now` (seconds since 1970)."""
    source, target, logs = migration["source"], migration["target"], migration["options"]["logs"]
    scope = _Scope(
        copy_id=migration["id"],
        attempt=migration["attempt"],
        bucket=migration["bucket"],
        early=early,
        dags=logs["dags"] or migration["options"]["dags"],
        failed_of=migration["artifactId"] if logs["onlyFailed"] else None,
        lenient=True,
    )
    return _copy(
        {"environment": source["environment"], "region": source["region"]},
        {"environment": target["environment"], "region": target["region"]},
        logs,
        scope,
        now,
        quotas,
    )


def of_input(
    document: dict[str, Any], execution: str, bucket: str, region: str, now: float, quotas: dict[str, Any]
) -> LogCopy:
    """The copy that an execution of the copy's own state machine is started for. Raises InvalidInput."""
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    found = json_schema.problems_of(document, schema)
    if not found:
        found += json_schema.expression_problems("logs.dags", document.get("logs", {}).get("dags"))
    if found:
        raise errors.InvalidInput("; ".join(str(problem) for problem in found))
    complete = json_schema.completed(document, schema)
    source, target, logs = complete["source"], complete["target"], complete["logs"]
    source_region = source.get("region", region)
    scope = _Scope(
        # One copy an execution: a redrive continues it, a new execution looks at everything again.
        copy_id=complete.get("copyId") or f"logs-{wording.slug(target['environment'], most=80)}-{execution}",
        attempt=1,
        bucket=bucket,
        early=None,
        dags=logs["dags"] or ".*",
        failed_of=None,
        lenient=False,
    )
    return _copy({"region": source_region, **source}, {"region": source_region, **target}, logs, scope, now, quotas)


def _copy(
    source: dict[str, Any],
    target: dict[str, Any],
    logs: dict[str, Any],
    scope: _Scope,
    now: float,
    quotas: dict[str, Any],
) -> LogCopy:
    end = int(now * 1000)
    whole = layout.attempt(scope.copy_id, scope.attempt)
    return LogCopy(
        id=scope.copy_id,
        attempt=scope.attempt,
        bucket=scope.bucket,
        prefix=layout.early(whole) if scope.early else whole,
        phases=whole,
        phase=phase_names.COPY_LOGS_EARLY if scope.early else phase_names.COPY_LOGS,
        # A copy that is no migration's has none before it.
        early=layout.early(whole) if scope.early is False else None,
        source=End(environment=source["environment"], region=source["region"], role=logs["sourceRoleArn"]),
        target=End(environment=target["environment"], region=target["region"], role=logs["targetRoleArn"]),
        groups=logs["groups"],
        dags=scope.dags,
        failedOf=scope.failed_of,
        lenient=scope.lenient,
        start=0 if logs["days"] is None else end - logs["days"] * DAY,
        end=end,
        workers=int(quotas["workers"]),
        paces=share(quotas),
        batches=0,
    )


def same(one: LogCopy, other: LogCopy) -> bool:
    """Whether two copies of one id are of the same events, whenever they were begun."""
    return (one["source"], one["target"], one["groups"], one["dags"], one["failedOf"]) == (
        other["source"],
        other["target"],
        other["groups"],
        other["dags"],
        other["failedOf"],
    )


def shared(copy: LogCopy, batches: int) -> LogCopy:
    """The same with no more workers than batches."""
    return {**copy, "workers": max(1, min(copy["workers"], batches)), "batches": batches}


def group_name(end: End, group: str) -> str:
    """The name that Amazon MWAA gives a log group of an environment."""
    return f"airflow-{end['environment']}-{group}"
