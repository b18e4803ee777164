"""Upgrade: the target's own Airflow migrations, run in the scratch schema.

They run in a process of their own, in which every engine's connections have the scratch schema as their search_path.
That must never happen to the task's own session.
"""

from __future__ import annotations

import subprocess
from typing import Iterator

from psycopg2 import sql

from mwaa_migrator import child_process
from mwaa_migrator.airflow_schema.tables import LOG_TEMPLATE_TABLE
from mwaa_migrator.errors import UpgradeFailed
from mwaa_migrator.postgres.catalog import table_exists
from mwaa_migrator.postgres.session import execute, fetch_value
from mwaa_migrator.progress import Progress
from mwaa_migrator.scratch.scratch_schema import ScratchSchema

#: In these the migrations end by adding the rows that Airflow starts with, which are not the source's.
_FILLED_BY_MIGRATIONS = (LOG_TEMPLATE_TABLE, "slot_pool")

#: Lines of Airflow's output that UpgradeFailed quotes.
_QUOTED_LINES = 15


def upgrade(scratch: ScratchSchema, progress: Progress) -> None:
    """Bring the scratch schema to the target's revision, and commit; raises UpgradeFailed."""
    connection = scratch.connection
    newest = {
        name: fetch_value(connection, sql.SQL("select coalesce(max(id), 0) from {}").format(scratch.table(name)))
        for name in _FILLED_BY_MIGRATIONS
        if table_exists(connection, scratch.name, name)
    }
    connection.commit()
    _run_migrations(scratch.name, progress)
    for name, key in newest.items():
        execute(connection, sql.SQL("delete from {} where id > {}").format(scratch.table(name), sql.Literal(key)))
    connection.commit()


def _run_migrations(scratch: str, progress: Progress) -> None:
    process = child_process.start(
        "mwaa_migrator.scratch.run_migrations", scratch, stderr=subprocess.STDOUT, errors="replace"
    )
    lines: list[str] = []
    try:
        for line in _output(process):
            lines.append(line)
            if "Running upgrade" in line:
                progress.say("upgrade: " + line.split("Running upgrade ", 1)[-1])
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        for stream in (process.stdin, process.stdout):
            assert stream
            stream.close()
    if code != 0:
        message = (
            "Airflow's migrations failed in the scratch schema (exit code {}). Nothing was merged. See the last lines "
            "of their output:\n{}"
        )
        raise UpgradeFailed(message.format(code, "\n".join(lines[-_QUOTED_LINES:])))


def _output(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout
    for line in process.stdout:
        yield line.rstrip()
