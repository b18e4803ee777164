"""Export: the rows of the metadata database, as of one instant, into an artifact.

One transaction sees the database at that instant and lends its snapshot to the copying processes
(``pg_export_snapshot``); nothing is locked and nothing is written. The manifest is written last.
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Iterator, NamedTuple, Sequence

from psycopg2 import sql
from psycopg2.errors import InvalidRegularExpression

from mwaa_migrator import FORMAT_VERSION
from mwaa_migrator.airflow_schema.encryption import Decrypter, Row, RowLines, format_row
from mwaa_migrator.airflow_schema.tables import (
    OWN_DAGS,
    OWN_TRACES,
    REVISION,
    SECRET_COLUMNS,
    SET_ASIDE_PREFIX,
    USER_REFERENCES,
    reason_not_exported,
    secret_column_names,
)
from mwaa_migrator.artifact.manifest import MANIFEST, SCHEMA, TABLES
from mwaa_migrator.artifact.parts import PartWriter, row_buffer
from mwaa_migrator.artifact.schema_description import describe
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.copying.workers import Job, run_jobs
from mwaa_migrator.errors import (
    ArtifactExists,
    ExportFailed,
    InvalidArguments,
    MigratorError,
    StorageUnavailable,
    UndecryptableSecret,
)
from mwaa_migrator.export.dag_list import KNOWN_DAGS, known_dags
from mwaa_migrator.export.history_cut import Cut, row_filter
from mwaa_migrator.postgres.catalog import Table, columns_of, qualified, read_tables
from mwaa_migrator.postgres.checksums import algorithm_of, checksum_query
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value, keep_alive, named_errors
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow import database as airflow_database

#: Heap bytes of one range of a big table; the ranges of a table are copied side by side.
RANGE_BYTES = 128 * 1024 * 1024

#: Before PostgreSQL 14 a condition on ctid reads the whole table, so there a table is one range.
RANGES_SINCE = 140000

#: How many unfinished runs and task instances the manifest names; all of them are counted.
MOST_UNFINISHED_LISTED = 1000


class ExportOptions(NamedTuple):
    """``days`` and ``dags`` cut history; ``tables`` (None: all) and ``exclude_tables`` choose among the tables."""

    days: int | None = None
    dags: str | None = None
    tables: Sequence[str] | None = None
    exclude_tables: Sequence[str] = ()
    jobs: int = 2
    skip_undecryptable: bool = False


def export(storage: Storage, migration_id: str, options: ExportOptions, progress: Progress) -> dict[str, Any]:
    """Write the artifact into ``storage`` and return its manifest.

    Raises InvalidArguments for tables that do not exist or a regular expression that PostgreSQL does not take,
    ArtifactExists, UndecryptableSecret, ColumnTypeUnknown, and what connecting and storing raise.
    """
    version = airflow_database.airflow_version()
    connection = airflow_database.connect()
    try:
        if storage.size(MANIFEST) is not None:
            raise ArtifactExists(
                f"{storage.url} holds a whole artifact already. Import that one, or choose another --id."
            )
        with named_errors(), progress.phase("inspect"):
            plan = _Plan(connection, options)
        with progress.phase("export"), _nothing_left_of_a_failure(storage):
            return _export(connection, plan, storage, migration_id, version, options, progress)
    finally:
        connection.close()


@contextmanager
def _nothing_left_of_a_failure(storage: Storage) -> Iterator[None]:
    """Name what stopped an export in its middle, and remove the parts that it wrote: they hold secrets in clear."""
    try:
        with named_errors():
            yield
    except BaseException as error:
        with suppress(MigratorError):
            storage.child(TABLES).delete_all()
        if isinstance(error, StorageUnavailable):
            raise ExportFailed(f"The export stopped: {error}") from error
        raise


class _Plan:
    """What will be exported: the schema, the tables, why others are not, the cut."""

    def __init__(self, connection: Any, options: ExportOptions) -> None:
        self.schema = airflow_database.airflow_schema(connection)
        self.revision = airflow_database.schema_revision(connection)
        tables = read_tables(connection, self.schema)
        connection.rollback()
        unknown = airflow_database.unknown_tables(name for name in tables if reason_not_exported(name) is None)
        self.not_exported: dict[str, str] = {}
        for name in tables:
            reason = reason_not_exported(name)
            if reason is None and name in unknown:
                reason = "not a table of this Airflow"
            if reason is not None:
                self.not_exported[name] = reason
        _check_choice(options, tables, self.not_exported)
        for name in tables:
            if name in self.not_exported:
                continue
            if name in options.exclude_tables or (options.tables is not None and name not in options.tables):
                self.not_exported[name] = "left out as asked"
        # Airflow's migrations expect all of Airflow's tables, with or without rows.
        self.described = {
            name: table
            for name, table in tables.items()
            if name not in unknown and not name.startswith(SET_ASIDE_PREFIX) and not _excluded(name, options)
        }
        self.schema_description = describe(self.described)
        self.tables = [table for name, table in sorted(tables.items()) if name not in self.not_exported]


def _excluded(name: str, options: ExportOptions) -> bool:
    return name in options.exclude_tables and reason_not_exported(name) is not None


def _check_choice(options: ExportOptions, tables: dict[str, Table], not_exported: dict[str, str]) -> None:
    named = [*(options.tables or ()), *options.exclude_tables]
    faults = [f"there is no table '{name}'" for name in named if name not in tables]
    faults += [
        f"'{name}' cannot be left out: the import starts from it" for name in options.exclude_tables if name == REVISION
    ]
    faults += [
        f"'{name}' cannot be exported: {not_exported[name]}" for name in options.tables or () if name in not_exported
    ]
    if faults:
        raise InvalidArguments("; ".join(faults) + ". Correct --tables or --exclude-tables.")


def _export(
    connection: Any,
    plan: _Plan,
    storage: Storage,
    migration_id: str,
    version: str,
    options: ExportOptions,
    progress: Progress,
) -> dict[str, Any]:
    execute(connection, "begin isolation level repeatable read read only")
    snapshot, snapshot_time = fetch_all(connection, "select pg_export_snapshot(), now()")[0]
    cut = _cut(connection, plan, options)
    algorithm = algorithm_of(connection)
    tables = {table.name: table for table in plan.tables}
    entries: dict[str, dict[str, Any]] = {
        name: {"columns": list(table.column_names), "rows": 0, "bytes": 0, "parts": []}
        for name, table in tables.items()
    }
    skipped = _export_secrets(connection, plan, tables, entries, storage, cut, options)
    jobs: list[Job] = []
    for table in plan.tables:
        condition = row_filter(table, tables, plan.schema, cut)
        jobs += _jobs(connection, plan.schema, table, condition, algorithm)
    begun = time.monotonic()
    waiting = {name: sum(1 for job in jobs if job.label == name) for name in tables}
    recipe = airflow_database.connection_recipe()
    # This transaction lends its snapshot, and is asked for more when the copying has ended.
    stay_alive = partial(keep_alive, connection)
    for job, result in run_jobs(jobs, options.jobs, storage.url, recipe, snapshot, while_waiting=stay_alive):
        entry = entries[job.label]
        if job.request["kind"] == "checksum":
            entry["checksum"] = result["value"]
            entry["checksum_rows"] = result["rows"]
        else:
            entry["parts"] += result["parts"]
            entry["rows"] += result["rows"]
            entry["bytes"] += sum(part["bytes"] for part in result["parts"])
        waiting[job.label] -= 1
        if not waiting[job.label]:
            progress.table("export", job.label, entry["rows"], time.monotonic() - begun, entry["bytes"])
    for name, entry in entries.items():
        _check_rows(name, entry, skipped)
    schema = json.dumps(plan.schema_description, sort_keys=True).encode("utf-8")
    storage.write_bytes(SCHEMA, schema)
    manifest: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "migration_id": migration_id,
        "airflow_version": version,
        "revision": plan.revision,
        "source": fetch_value(connection, "select current_database()"),
        "server_version": connection.server_version,
        "snapshot_time": snapshot_time.isoformat(),
        "options": dict(options._asdict(), tables=options.tables and list(options.tables)),
        "checksum_algorithm": algorithm,
        "log_filename_template": airflow_database.log_filename_template(),
        "note_authors": _note_authors(connection, plan, tables),
        "tables": entries,
        "not_exported": plan.not_exported,
        "skipped_undecryptable": skipped,
        "unfinished": _unfinished(connection, plan, tables, cut),
        "schema_sha256": hashlib.sha256(schema).hexdigest(),
    }
    dags = known_dags(connection, plan.schema, plan.described)
    connection.rollback()
    storage.write_json(KNOWN_DAGS, dags)
    storage.write_json(MANIFEST, manifest)
    return manifest


def _cut(connection: Any, plan: _Plan, options: ExportOptions) -> Cut:
    """Raises InvalidArguments for a regular expression that PostgreSQL does not take."""
    if options.dags is not None:
        execute(connection, "savepoint cut")
        try:
            fetch_value(connection, "select '' ~ %s", ("^(?:" + options.dags + ")$",))
        except InvalidRegularExpression as error:
            message = "--dags '{}' is no regular expression of PostgreSQL's: {}."
            raise InvalidArguments(message.format(options.dags, str(error).strip())) from error
    since = None
    if options.days is not None:
        since = fetch_value(connection, "select (now() - %s * interval '1 day')::text", (options.days,))
    dags = options.dags if options.dags != ".*" else None
    ours = any(
        fetch_value(
            connection,
            sql.SQL("select exists (select 1 from {} where dag_id = any(%s))").format(qualified(plan.schema, name)),
            (list(OWN_DAGS),),
        )
        for name in OWN_TRACES
        if name in plan.described
    )
    return Cut(since, dags, ours)


def _select(schema: str, table: Table, condition: sql.Composable | None, columns: Sequence[str]) -> sql.Composed:
    values = sql.SQL(", ").join([sql.SQL("t.") + sql.Identifier(column) for column in columns])
    query = sql.SQL("select {} from {} t").format(values, qualified(schema, table.name))
    return query if condition is None else query + sql.SQL(" where ") + condition


def _jobs(connection: Any, schema: str, table: Table, condition: sql.Composable | None, algorithm: str) -> list[Job]:
    source = qualified(schema, table.name)
    size = int(fetch_value(connection, "select pg_table_size(%s::regclass)", (source.as_string(connection),)))
    heap = int(fetch_value(connection, "select pg_relation_size(%s::regclass)", (source.as_string(connection),)))
    block = int(fetch_value(connection, "select current_setting('block_size')::int"))
    jobs = []
    if table.name not in SECRET_COLUMNS:
        count = max(1, heap // RANGE_BYTES) if connection.server_version >= RANGES_SINCE else 1
        pages = heap // block // count + 1
        for number in range(count):
            conditions = [] if condition is None else [condition]
            if number:
                conditions.append(sql.SQL("t.ctid >= {}::tid").format(sql.Literal(f"({number * pages},0)")))
            if number < count - 1:
                conditions.append(sql.SQL("t.ctid < {}::tid").format(sql.Literal(f"({(number + 1) * pages},0)")))
            query = _select(
                schema, table, sql.SQL(" and ").join(conditions) if conditions else None, table.column_names
            )
            prefix = f"{TABLES}/{table.name}/{number:04d}"
            request = {"kind": "copy_out", "query": query.as_string(connection), "prefix": prefix}
            jobs.append(Job(table.name, size // count, request))
    columns = [column for column in table.columns if column.name not in secret_column_names(table.name)]
    query = checksum_query(source, columns, algorithm, condition)
    jobs.append(Job(table.name, size // 2, {"kind": "checksum", "query": query.as_string(connection)}))
    return jobs


def _export_secrets(
    connection: Any,
    plan: _Plan,
    tables: dict[str, Table],
    entries: dict[str, dict[str, Any]],
    storage: Storage,
    cut: Cut,
    options: ExportOptions,
) -> list[str]:
    """Copy the tables that hold secrets, decrypted; returns the names of the rows that were left out."""
    failures: list[str] = []
    fernet = airflow_database.fernet()
    for name in sorted(set(tables) & set(SECRET_COLUMNS)):
        table = tables[name]
        decrypter = Decrypter(name, table.column_names, fernet)
        parts = PartWriter(storage, f"{TABLES}/{name}/0000")
        buffer = row_buffer(parts)

        def handle(row: Row, decrypter: Decrypter = decrypter, buffer: Any = buffer) -> None:
            clear = decrypter.decrypt(row)
            if clear is not None:
                buffer.write((format_row(clear) + "\n").encode("utf-8"))

        condition = row_filter(table, tables, plan.schema, cut)
        query = _select(plan.schema, table, condition, table.column_names)
        try:
            with connection.cursor() as cursor:
                cursor.copy_expert(sql.SQL("copy ({}) to stdout").format(query), RowLines(handle))
            buffer.flush()
            parts.close()
        except BaseException:
            parts.abort()
            raise
        failures += decrypter.failures
        entries[name]["parts"] = parts.parts
        entries[name]["rows"] = sum(part["rows"] for part in parts.parts)
        entries[name]["bytes"] = sum(part["bytes"] for part in parts.parts)
        if decrypter.failures:
            # The checksum would count rows that are not there.
            entries[name]["skipped"] = len(decrypter.failures)
    if failures and not options.skip_undecryptable:
        raise UndecryptableSecret(
            "This Airflow's Fernet key does not decrypt: {}. Set the key that encrypted them (several keys are "
            "separated by commas), set the values anew, or leave them behind with --skip-undecryptable.".format(
                ", ".join(failures)
            )
        )
    return failures


def _check_rows(name: str, entry: dict[str, Any], skipped: Sequence[str]) -> None:
    in_parts = sum(part["rows"] for part in entry["parts"])
    seen = entry.pop("checksum_rows") - entry.get("skipped", 0)
    if not in_parts == entry["rows"] == seen:
        message = "{}: the server sent {} rows, the parts hold {}, and the snapshot has {}. Export again."
        raise ExportFailed(message.format(name, entry["rows"], in_parts, seen))
    if entry.pop("skipped", 0):
        entry["checksum"] = None


def _note_authors(connection: Any, plan: _Plan, tables: dict[str, Table]) -> dict[str, str]:
    """The user names of those who wrote notes, by the id that the notes refer to."""
    authors: dict[str, str] = {}
    for name, column in USER_REFERENCES:
        if name in tables and column in tables[name].column_names and "ab_user" in plan.described:
            query = sql.SQL("select distinct u.id, u.username from {} n join {} u on u.id = n.{}").format(
                qualified(plan.schema, name), qualified(plan.schema, "ab_user"), sql.Identifier(column)
            )
            authors.update({str(user): username for user, username in fetch_all(connection, query)})
    return authors


#: What each list of unfinished rows shows, as far as the version has the column.
_UNFINISHED = {
    "dag_run": (("dag_id", "run_id", "state"), ("success", "failed")),
    "task_instance": (
        ("dag_id", "run_id", "execution_date", "task_id", "map_index", "state"),
        ("success", "failed", "skipped", "upstream_failed", "removed", "shutdown"),
    ),
}


def _unfinished(connection: Any, plan: _Plan, tables: dict[str, Table], cut: Cut) -> dict[str, Any]:
    """``{"dag_runs": n, "task_instances": n, "listed": {...}}`` at the snapshot.

    A task instance without a state has not been looked at by the scheduler; it counts if its run is unfinished, which
    the run's own entry says.
    """
    counts: dict[str, Any] = {"dag_runs": 0, "task_instances": 0, "listed": {}}
    for name, (wanted, finished) in _UNFINISHED.items():
        if name not in tables:
            continue
        table = tables[name]
        condition = sql.SQL("t.state is not null and t.state not in ({})").format(
            sql.SQL(", ").join([sql.Literal(state) for state in finished])
        )
        if name == "dag_run":
            condition = sql.SQL("coalesce(t.state, '') not in ('success', 'failed')")
        inside = row_filter(table, tables, plan.schema, cut)
        if inside is not None:
            condition = condition + sql.SQL(" and ") + inside
        columns = [column.name for column in columns_of(table, [c for c in wanted if c in table.column_names])]
        count = sql.SQL("select count(*) from {} t where {}").format(qualified(plan.schema, name), condition)
        counts[name + "s"] = int(fetch_value(connection, count))
        query = _select(plan.schema, table, condition, columns) + sql.SQL(" order by 1, 2 limit {}").format(
            sql.Literal(MOST_UNFINISHED_LISTED)
        )
        counts["listed"][name + "s"] = [
            {column: value if isinstance(value, int) else value and str(value) for column, value in zip(columns, row)}
            for row in fetch_all(connection, query)
        ]
    return counts


def summary(storage: Storage, manifest: dict[str, Any]) -> dict[str, Any]:
    """What the export's result and ``inspect`` say of a manifest: everything but the parts themselves."""
    tables = {
        name: {
            "rows": entry["rows"],
            "bytes": entry["bytes"],
            "parts": len(entry["parts"]),
            "checksum": entry["checksum"],
        }
        for name, entry in manifest["tables"].items()
    }
    unfinished = {name: count for name, count in manifest["unfinished"].items() if name != "listed"}
    return {
        "artifact": storage.url,
        "migration_id": manifest["migration_id"],
        "source": {"airflow_version": manifest["airflow_version"], "revision": manifest["revision"]},
        "snapshot_time": manifest["snapshot_time"],
        "options": manifest["options"],
        "tables": tables,
        "unfinished": unfinished,
        "not_exported": manifest["not_exported"],
        "skipped_undecryptable": manifest["skipped_undecryptable"],
    }
