"""Which task logs are wanted, judged by the names of their streams (docs/logs.md).

    {dag_id}/{task_id}/{execution date}/{try}.log                              Airflow before 2.3
    dag_id={dag_id}/run_id={run_id}/task_id={task_id}[/map_index={i}]/attempt={try}.log    since

`:` is `_` in both. A stream whose name says nothing of a DAG or a task is always wanted.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from migration.exchange import layout
from migration.exchange.store import Store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_DAG = re.compile(r"(?:dag_id=(?P<named>[^/]+)|(?P<first>[^/=]+)(?=/[^/]+/[^/]+/\d+\.log$))")
_TRY = re.compile(r"/(?:attempt=)?\d+\.log$")
#: NULL in PostgreSQL's COPY text.
_NULL = r"\N"
_FAILED = frozenset({"failed", "up_for_retry", "upstream_failed"})


class Selection:
    def __init__(self, dags: str, failed: set[str] | None = None) -> None:
        """`dags`: a regular expression for whole DAG ids; `failed`: task instances as `failed_of` names them."""
        self._dags = re.compile(dags)
        self._failed = failed

    def wants(self, stream: str) -> bool:
        found = _DAG.match(stream)
        if found is None:
            return True
        if not self._dags.fullmatch(found["named"] or found["first"]):
            return False
        return self._failed is None or not _TRY.search(stream) or _TRY.sub("", stream) in self._failed


def failed_of(s3: S3Client, bucket: str, artifacts: Iterable[str]) -> set[str] | None:
    """The names of the logs of every task instance that has failed in one of the artifacts, each without its try.

    `artifacts` are their prefixes: a base, and the deltas that follow it. None where rows of one are gone, as after an
    earlier attempt with `"artifact": "delete"`: then nobody knows, and all logs are wanted.
    """
    try:
        return {name for prefix in artifacts for name in _failed_of_one(s3, bucket, prefix)}
    except s3.exceptions.NoSuchKey:
        return None


def _failed_of_one(s3: S3Client, bucket: str, prefix: str) -> set[str]:
    manifest = Store(s3, bucket, prefix).read(layout.MANIFEST)

    def rows(table: str) -> Iterator[dict[str, str]]:
        entry = manifest["tables"].get(table, {"columns": [], "parts": []})
        for part in entry["parts"]:
            body: Any = s3.get_object(Bucket=bucket, Key=f"{prefix}/{part['name']}")["Body"]
            with gzip.open(body) as lines:
                yield from _rows(lines, entry["columns"])

    failed = [row for row in rows("task_instance") if row["state"] in _FAILED]
    runs = {(row["dag_id"], row["run_id"]) for row in failed if "run_id" in row}
    dates = {
        (row["dag_id"], row["run_id"]): row.get("execution_date", row.get("logical_date"))
        for row in rows("dag_run")
        if (row["dag_id"], row["run_id"]) in runs
    }
    return {name for row in failed for name in _names(row, dates.get((row["dag_id"], row.get("run_id", ""))))}


def _rows(lines: Any, columns: list[str]) -> Iterator[dict[str, str]]:
    """Rows of PostgreSQL's COPY text. Ids, times and states are as they are written there: COPY escapes only
    characters that no id has."""
    for line in lines:
        yield dict(zip(columns, line.decode().rstrip("\n").split("\t"), strict=True))


def _names(row: dict[str, str], date: str | None) -> Iterator[str]:
    dag, task, run = row["dag_id"], row["task_id"], row.get("run_id")
    if run is not None:
        mapped = row.get("map_index", "-1")
        of_map = f"/map_index={mapped}" if mapped != "-1" else ""
        yield f"dag_id={dag}/run_id={run}/task_id={task}{of_map}".replace(":", "_")
    # Until Airflow 2.1 a task instance has the date itself, from 2.2 on its run has it; in 3.x it may have none.
    date = date or row.get("execution_date")
    if date not in (None, _NULL):
        at = datetime.fromisoformat(date).astimezone(UTC).isoformat()
        yield f"{dag}/{task}/{at}".replace(":", "_")
