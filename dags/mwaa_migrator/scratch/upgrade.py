"""Upgrade: the target's own Airflow migrations, run in the scratch schema.

They run in a process of their own, in which every engine's connections have the scratch schema as their search_path.
That must never happen to the task's own session.
"""

from __future__ import annotations

import queue
import subprocess
import threading
from functools import partial
from typing import Callable, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from psycopg2 import sql

from mwaa_migrator import child_process
from mwaa_migrator.airflow_schema.tables import DAG_TABLE, LOG_TEMPLATE_TABLE
from mwaa_migrator.errors import UpgradeFailed
from mwaa_migrator.mending.mend_rows import mend_rows
from mwaa_migrator.postgres.identifiers import qualified
from mwaa_migrator.postgres.read_tables import read_tables, table_exists
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value, keep_alive
from mwaa_migrator.progress import Progress
from mwaa_migrator.scratch.orphans import lost_foreign_key, set_orphans_aside
from mwaa_migrator.scratch.run_migrations import ERROR_MARK
from mwaa_migrator.scratch.scratch_schema import ScratchSchema
from mwaa_migrator.scratch.stand_ins import make_stand_in
from mwaa_migrator.scratch.unreadable_triggers import set_unreadable_triggers_aside
from mwaa_migrator.waiting import arrivals

#: In these, by a unique column, the migrations add rows that Airflow starts with, which are not the source's.
_FILLED_BY_MIGRATIONS = {LOG_TEMPLATE_TABLE: "id", "slot_pool": "id", "dag_bundle": "name"}

#: Lines of Airflow's output that UpgradeFailed quotes.
_QUOTED_LINES = 15


class Upgraded(NamedTuple):
    """What the user must know of it, in lines.

    ``without_parent`` names each trigger that this Airflow cannot read, and what ``set_orphans_aside`` met;
    ``changed_values`` is what ``mend_rows`` returned.
    """

    without_parent: List[str]
    changed_values: List[str]


def upgrade(scratch: ScratchSchema, pickled_xcoms: str, progress: Progress) -> Upgraded:
    """Bring the scratch schema to the target's revision, and commit; raises UpgradeFailed.

    ``pickled_xcoms`` is a value of ``options.py``.
    """
    connection = scratch.connection
    before = {
        name: [key for (key,) in fetch_all(connection, _keys(scratch, name))]
        for name in _FILLED_BY_MIGRATIONS
        if table_exists(connection, scratch.name, name)
    }
    connection.commit()
    _let_pgcrypto_be_found(scratch)
    lines = set_unreadable_triggers_aside(scratch)
    revision, version = scratch.artifact.manifest["revision"], scratch.target.airflow_version
    changed = mend_rows(connection, scratch.name, revision, version, pickled_xcoms)
    connection.commit()
    for line in lines + changed:
        progress.say(line)
    mended: List[str] = []
    while True:
        try:
            _run_migrations(scratch, progress)
            break
        except UpgradeFailed as error:
            orphans, stand_ins = _mend(scratch, str(error))
            done = [line for line in orphans + stand_ins if line not in mended]
            if not done:
                raise
        # The migration that failed was rolled back, and those before it were not: it goes on from there.
        for line in done:
            progress.say(line)
        mended += done
        lines += orphans
    _delete_others(scratch, before)
    return Upgraded(lines, changed)


def _keys(scratch: ScratchSchema, table: str) -> sql.Composed:
    key = sql.Identifier(_FILLED_BY_MIGRATIONS[table])
    return sql.SQL("select {}::text from {}").format(key, scratch.table(table))


def _delete_others(scratch: ScratchSchema, before: Mapping[str, Sequence[str]]) -> None:
    """Delete from the tables all rows but those with these keys, and commit."""
    for name, keys in before.items():
        key = sql.Identifier(_FILLED_BY_MIGRATIONS[name])
        statement = sql.SQL("delete from {} where {}::text <> all({}::text[])")
        if name == "dag_bundle":
            # DAGs without a bundle have got one of the new ones. The merge adds the bundles that the target needs.
            drop = sql.SQL("alter table {} drop constraint if exists dag_bundle_name_fkey")
            execute(scratch.connection, drop.format(scratch.table(DAG_TABLE)))
        execute(scratch.connection, statement.format(scratch.table(name), key, sql.Literal(list(keys))))
    scratch.connection.commit()


def _mend(scratch: ScratchSchema, failure: str) -> Tuple[List[str], List[str]]:
    """Remove the reason for which the migrations failed, if it is one that can be; what was done about it, in lines.

    The first are about rows without a parent, the others about names of constraints and indexes.
    """
    if "ForeignKeyViolation" in failure or "NotNullViolation" in failure:
        tables = lost_foreign_key(failure, read_tables(scratch.connection, scratch.name))
        filled = {*scratch.artifact.tables, *scratch.artifact.left_out}
        return set_orphans_aside(scratch.connection, scratch.name, tables, filled), []
    line = make_stand_in(scratch, failure)
    return [], [] if line is None else [line]


def _let_pgcrypto_be_found(scratch: ScratchSchema) -> None:
    """Airflow 3's migrations call a function of pgcrypto, which is in the schema that the extension was made in.

    Only where the database has no pgcrypto do they make it, in the scratch schema, and it is dropped with that.
    """
    query = """
        select n.nspname::text from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
         where e.extname = 'pgcrypto'
    """
    found = fetch_value(scratch.connection, query)
    if found is not None:
        statement = "create function {}(integer) returns bytea language sql as 'select {}($1)'"
        names = scratch.table("gen_random_bytes"), qualified(found, "gen_random_bytes")
        execute(scratch.connection, sql.SQL(statement).format(*names))
    scratch.connection.commit()


def _run_migrations(scratch: ScratchSchema, progress: Progress) -> None:
    process = child_process.start(
        "mwaa_migrator.scratch.run_migrations", scratch.name, stderr=subprocess.STDOUT, errors="replace"
    )
    lines: list[str] = []
    with child_process.killed_on_error(process):
        for line in _output(process, partial(keep_alive, scratch.connection)):
            lines.append(line)
            if "Running upgrade" in line:
                progress.say("upgrade: " + line.split("Running upgrade ", 1)[-1])
        code = process.wait()
    if code != 0:
        message = (
            "Airflow's migrations failed in the scratch schema (exit code {}): {}. Nothing was merged. Unless the "
            "process was killed, trying again will not help until this is mended in the source. The last lines of "
            "their output:\n{}"
        )
        raise UpgradeFailed(message.format(code, error_line(lines), "\n".join(lines[-_QUOTED_LINES:])))


def error_line(lines: Sequence[str]) -> str:
    """Why the migrations failed, in Airflow's own words, with the migration at which it happened.

    The last lines say something else as often as not: warnings, or what other threads print while they end.
    """
    running = [line.split("Running upgrade ", 1)[-1] for line in lines if "Running upgrade" in line]
    marked = [line[len(ERROR_MARK) :] for line in lines if line.startswith(ERROR_MARK)]
    logged = [line for line in lines if "ERROR" in line or "CRITICAL" in line]
    # Airflow ends some checks of its own with nothing but a message.
    said = (marked or logged or [line for line in lines if line.strip()] or ["they printed nothing"])[-1]
    return f"{said.strip()} (at {running[-1].strip()})" if running else said.strip()


def _output(process: subprocess.Popen[str], while_waiting: Callable[[], None]) -> Iterator[str]:
    """The lines that the process prints; ``while_waiting`` is called as in ``waiting.arrivals``."""
    read: queue.Queue[str | None] = queue.Queue()

    def work() -> None:
        assert process.stdout
        for line in process.stdout:
            read.put(line.rstrip())
        read.put(None)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    for line in arrivals(read, while_waiting):
        if line is None:
            thread.join()
            return
        yield line
