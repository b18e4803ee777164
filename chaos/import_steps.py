"""Kills the process of an import directly into Airflow 3 at one of its steps, which its statements give away."""

from __future__ import annotations

from contextlib import suppress

import psutil
import psycopg2

from local.installations import processes

#: By kind of fault: whose sessions they are (its own, or those with the scratch schema's name), and what they run.
STEPS = {
    "import process killed in restore": ("mwaa\\_migrator\\_%", "copy % from stdin%"),
    "import process killed in upgrade": ("mwaa\\_migrator\\_%", "alter table %"),
    "import process killed in merge": ("mwaa\\_migrator import%", 'insert into "public"%'),
    "import process killed in verify": ("mwaa\\_migrator verify%", "create temporary table %"),
}
#: The module that does the work of a task which Airflow 3 keeps out of the database.
_WORK = "mwaa_migrator.dag_tasks.run_work"


def is_reached(cursor: psycopg2.extensions.cursor, kind: str) -> bool:
    """Whether a session runs such a statement, or has just run it."""
    cursor.execute(
        "select exists (select from pg_stat_activity where application_name like %s and query ilike %s)", STEPS[kind]
    )
    row = cursor.fetchone()
    return row is not None and bool(row[0])


def kill_work(marker: str) -> int:
    """SIGKILL to the processes of a local AWS that do a task's work; returns how many there were."""
    killed = 0
    for process in processes.marked(marker):
        with suppress(psutil.Error):
            if _WORK in process.cmdline():
                process.kill()
                killed += 1
    return killed
