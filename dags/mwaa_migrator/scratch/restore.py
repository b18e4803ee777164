"""Restore: the source's tables and rows, as they were, in the scratch schema."""

from __future__ import annotations

import io
import time
from functools import partial
from typing import Any

from psycopg2 import Error as DatabaseError
from psycopg2 import sql

from mwaa_migrator.airflow_schema.encryption import Encrypter, Row, RowLines, format_row
from mwaa_migrator.airflow_schema.tables import SECRET_COLUMNS, secret_column_names
from mwaa_migrator.artifact.parts import PartReader
from mwaa_migrator.artifact.schema_description import create_tables, finish_tables, from_description
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.copying.workers import Job, run_jobs
from mwaa_migrator.errors import ArtifactDamaged, DatabaseNotSupported, RestoreFailed
from mwaa_migrator.postgres.catalog import Table, qualified, read_tables
from mwaa_migrator.postgres.checksums import HASH_RECORD, algorithm_of, checksum_query
from mwaa_migrator.postgres.session import execute, fetch_value, identifiers, keep_alive, use_schema
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow import database as airflow_database


def check_artifact(storage: Storage, manifest: dict[str, Any], jobs: int) -> None:
    """Read every part and compare it with its SHA-256; raises ArtifactDamaged."""
    checks = [
        Job(name, part["stored_bytes"], {"kind": "check_part", "part": part})
        for name, entry in manifest["tables"].items()
        for part in entry["parts"]
    ]
    for name, entry in manifest["tables"].items():
        if sum(part["rows"] for part in entry["parts"]) != entry["rows"]:
            message = "The manifest gives {} rows for {} and its parts have another number. Export again."
            raise ArtifactDamaged(message.format(entry["rows"], name))
    for _ in run_jobs(checks, jobs, storage.url):
        pass


def restore(
    connection: Any,
    storage: Storage,
    manifest: dict[str, Any],
    description: dict[str, Any],
    scratch: str,
    upgrade_follows: bool,
    jobs: int,
    progress: Progress,
) -> None:
    """Fill the scratch schema and check each table's rows and content checksum against the manifest.

    Without an upgrade nothing refers to the tables' constraints and nothing has to survive a crash of the server, so
    the tables are unlogged and bare.
    """
    tables = from_description(description)
    use_schema(connection, scratch)
    try:
        create_tables(connection, list(tables.values()), unlogged=not upgrade_follows)
    except DatabaseError as error:
        raise RestoreFailed(f"The source's tables cannot be made again: {str(error).strip()}.") from error
    execute(connection, "insert into alembic_version (version_num) values (%s)", (manifest["revision"],))
    connection.commit()
    begun = time.monotonic()
    fernet = airflow_database.fernet()
    for name in sorted(set(SECRET_COLUMNS) & set(manifest["tables"])):
        rows = _restore_secrets(connection, storage, manifest["tables"][name], tables[name], scratch, fernet)
        progress.table("restore", name, rows, time.monotonic() - begun)
    recipe = airflow_database.connection_recipe()
    stay_alive = partial(keep_alive, connection)
    copies = [
        Job(
            name,
            part["bytes"],
            {"kind": "copy_in", "table": name, "columns": entry["columns"], "schema": scratch, "part": part},
        )
        for name, entry in manifest["tables"].items()
        if name not in SECRET_COLUMNS
        for part in entry["parts"]
    ]
    restored = dict.fromkeys(manifest["tables"], 0)
    waiting = {name: sum(1 for job in copies if job.label == name) for name in restored}
    for job, result in run_jobs(copies, jobs, storage.url, recipe, application_name=scratch, while_waiting=stay_alive):
        restored[job.label] += result["rows"]
        waiting[job.label] -= 1
        if not waiting[job.label]:
            progress.table("restore", job.label, restored[job.label], time.monotonic() - begun)
    _check_content(connection, storage, manifest, tables, scratch, jobs)
    if upgrade_follows:
        use_schema(connection, scratch)
        try:
            finish_tables(connection, list(tables.values()))
        except DatabaseError as error:
            message = "The source's constraints and indexes cannot be made again: {}."
            raise RestoreFailed(message.format(str(error).strip())) from error
    connection.commit()


def _restore_secrets(
    connection: Any, storage: Storage, entry: dict[str, Any], table: Table, scratch: str, fernet: Any
) -> int:
    columns = [table.column(name) for name in entry["columns"]]
    encrypter = Encrypter(table.name, columns, fernet)
    statement = sql.SQL("copy {} ({}) from stdin").format(qualified(scratch, table.name), identifiers(entry["columns"]))
    rows = 0
    for part in entry["parts"]:
        reader = PartReader(storage, part)
        try:
            with connection.cursor() as cursor:
                cursor.copy_expert(statement, _EncryptedRows(reader, encrypter))
                rows += cursor.rowcount
        except DatabaseError:
            if reader.failure is not None:
                raise reader.failure from None
            raise
        finally:
            reader.close()
    connection.commit()
    return rows


class _EncryptedRows:
    """A file for COPY FROM: the rows of a part, with their secrets encrypted on the way."""

    def __init__(self, reader: PartReader, encrypter: Encrypter) -> None:
        self._reader = reader
        self._encrypter = encrypter
        self._ready = io.BytesIO()
        self._lines: list[bytes] = []
        self._rows = RowLines(self._take)

    def _take(self, row: Row) -> None:
        self._lines.append((format_row(self._encrypter.encrypt(row)) + "\n").encode("utf-8"))

    def read(self, size: int = 8192) -> bytes:
        while True:
            ready = self._ready.read(size)
            if ready:
                return ready
            block = self._reader.read()
            if not block:
                return b""
            self._rows.write(block)
            self._ready = io.BytesIO(b"".join(self._lines))
            self._lines = []


def _check_content(
    connection: Any,
    storage: Storage,
    manifest: dict[str, Any],
    tables: dict[str, Table],
    scratch: str,
    jobs: int,
) -> None:
    algorithm = manifest["checksum_algorithm"]
    if algorithm == HASH_RECORD and algorithm_of(connection) != HASH_RECORD:
        message = "The artifact's checksums need PostgreSQL 14 or later; this server is {}."
        raise DatabaseNotSupported(message.format(connection.server_version))
    checks = []
    for name, entry in manifest["tables"].items():
        left_out = secret_column_names(name)
        columns = [tables[name].column(column) for column in entry["columns"] if column not in left_out]
        query = checksum_query(qualified(scratch, name), columns, algorithm)
        checks.append(Job(name, entry["bytes"], {"kind": "checksum", "query": query.as_string(connection)}))
    recipe = airflow_database.connection_recipe()
    stay_alive = partial(keep_alive, connection)
    for job, result in run_jobs(checks, jobs, storage.url, recipe, application_name=scratch, while_waiting=stay_alive):
        entry = manifest["tables"][job.label]
        same = entry["checksum"] is None or result["value"] == entry["checksum"]
        if result["rows"] != entry["rows"] or not same:
            message = "{}: {} rows came back with checksum {}; the source had {} rows with checksum {}."
            raise RestoreFailed(
                message.format(job.label, result["rows"], result["value"], entry["rows"], entry["checksum"])
            )


def count_rows(connection: Any, schema: str) -> dict[str, int]:
    """The rows of every table in a schema."""
    return {
        name: int(fetch_value(connection, sql.SQL("select count(*) from {}").format(qualified(schema, name))))
        for name in read_tables(connection, schema)
    }
