"""Upgrade: the target's own Airflow migrations, run against the scratch schema in a process of their own.

A process of its own, because the connections of every engine in it get the scratch schema as their search_path, which
must never happen to the task's own session.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any, NamedTuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.tables import SET_ASIDE_PREFIX, set_aside_source
from mwaa_migrator.copying.child_process import child_environment
from mwaa_migrator.errors import RowsUnaccounted, UpgradeFailed
from mwaa_migrator.postgres.catalog import qualified, read_tables, table_exists
from mwaa_migrator.postgres.session import execute, fetch_value
from mwaa_migrator.progress import Progress
from mwaa_migrator.scratch.restore import count_rows

#: The migrations end by making sure that these have the rows that Airflow starts with; those are not the source's.
_ROWS_ADDED_BY_AIRFLOW = ("log_template", "slot_pool")


class Upgraded(NamedTuple):
    """Rows per table after the upgrade, and those that Airflow's migrations set aside, by the table they came from."""

    rows: dict[str, int]
    set_aside: dict[str, int]


def upgrade(connection: Any, scratch: str, manifest: dict[str, Any], progress: Progress) -> Upgraded:
    """Raises UpgradeFailed with the last lines of Airflow's output, or RowsUnaccounted if rows went missing."""
    newest = {
        name: fetch_value(connection, sql.SQL("select coalesce(max(id), 0) from {}").format(qualified(scratch, name)))
        for name in _ROWS_ADDED_BY_AIRFLOW
        if table_exists(connection, scratch, name)
    }
    connection.commit()
    _run_migrations(scratch, progress)
    for name, key in newest.items():
        execute(connection, sql.SQL("delete from {} where id > {}").format(qualified(scratch, name), sql.Literal(key)))
    connection.commit()
    upgraded = account(connection, scratch, manifest)
    connection.commit()
    return upgraded


def account(connection: Any, scratch: str, manifest: dict[str, Any]) -> Upgraded:
    """Count what is there after the upgrade; raises RowsUnaccounted unless every exported row is found again."""
    counted = count_rows(connection, scratch)
    set_aside: dict[str, int] = {}
    for name, rows in counted.items():
        if name.startswith(SET_ASIDE_PREFIX):
            source = set_aside_source(name)
            set_aside[source] = set_aside.get(source, 0) + rows
    faults = []
    for name, entry in manifest["tables"].items():
        if name in counted and counted[name] + set_aside.get(name, 0) != entry["rows"]:
            message = "{}: {} rows were exported, {} are left and {} set aside"
            faults.append(message.format(name, entry["rows"], counted[name], set_aside.get(name, 0)))
    if faults:
        message = "Airflow's migrations changed the number of rows ({}). Nothing was merged; report this as a defect."
        raise RowsUnaccounted(message.format("; ".join(faults)))
    return Upgraded(counted, set_aside)


def _run_migrations(scratch: str, progress: Progress) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mwaa_migrator.scratch.run_migrations", scratch],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=child_environment(),
        universal_newlines=True,
        errors="replace",
    )
    assert process.stdin
    assert process.stdout
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line.rstrip())
            if "Running upgrade" in line:
                progress.say("upgrade: " + line.rstrip().split("Running upgrade ", 1)[-1])
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        process.stdin.close()
        process.stdout.close()
    if code != 0:
        message = (
            "Airflow's migrations failed in the scratch schema (exit code {}); the last lines of their output:\n{}"
        )
        raise UpgradeFailed(message.format(code, "\n".join(lines[-15:])))


def schema_differences(connection: Any, scratch: str, schema: str, names: list[str]) -> list[str]:
    """Columns that a merged table has in only one of the two schemas."""
    upgraded = read_tables(connection, scratch)
    target = read_tables(connection, schema)
    differences = []
    for name in names:
        if name in upgraded and name in target:
            only = set(upgraded[name].column_names) ^ set(target[name].column_names)
            differences += [f"{name}.{column}" for column in sorted(only)]
    return differences
