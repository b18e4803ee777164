"""Restore: the source's tables and rows, as they were, in the scratch schema."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Callable

from psycopg2 import Error as DatabaseError
from psycopg2 import OperationalError, sql

from mwaa_migrator.airflow_schema.encryption import ENCRYPTED_COLUMNS, ciphertext_columns
from mwaa_migrator.airflow_schema.tables import REVISION_TABLE
from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.artifact.manifest import read_schema
from mwaa_migrator.artifact.schema_description import described_tables
from mwaa_migrator.copying.workers import Job, Session, run_jobs
from mwaa_migrator.errors import ArtifactDamaged, DatabaseNotSupported, RestoreFailed
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.checksums import HASH_RECORD, checksum_query, fastest_algorithm
from mwaa_migrator.postgres.session import execute, keep_alive, with_reason
from mwaa_migrator.postgres.table_definitions import complete_tables, create_tables
from mwaa_migrator.progress import Progress
from mwaa_migrator.scratch.restore_encrypted import restore_encrypted
from mwaa_migrator.scratch.scratch_schema import ScratchSchema
from mwaa_migrator.this_airflow.configuration import fernet
from mwaa_migrator.this_airflow.migrations import names_in_migrations
from mwaa_migrator.this_airflow.release import AIRFLOW_3, version_tuple

#: Airflow 3's migrations write a key into each row of these.
_GIVEN_KEYS = ("task_instance",)


def check_artifact(artifact: Artifact, processes: int, while_waiting: Callable[[], None] = lambda: None) -> None:
    """Read every part and the schema; raises ArtifactDamaged unless all of them are what the export wrote."""
    for name, entry in artifact.tables.items():
        if sum(part["rows"] for part in entry["parts"]) != entry["rows"]:
            message = "The manifest gives {} rows for {}, and another number for its parts. Export again."
            raise ArtifactDamaged(message.format(entry["rows"], name))
    checks = [
        Job(name, part["stored_bytes"], {"kind": "check_part", "part": part})
        for name, entry in artifact.tables.items()
        for part in entry["parts"]
    ]
    for _ in run_jobs(checks, processes, artifact.storage.url, while_waiting=while_waiting):
        pass
    read_schema(artifact.storage, artifact.manifest)


def restore(scratch: ScratchSchema, upgrade_follows: bool, processes: int, progress: Progress) -> None:
    """Fill the scratch schema, and check the rows and the checksum of each table against the manifest.

    Without an upgrade nothing refers to the tables' constraints, and nothing has to survive a crash of the server, so
    the tables are unlogged and bare. Raises RestoreFailed, and DatabaseNotSupported if the server cannot compute the
    checksums.
    """
    connection, artifact = scratch.connection, scratch.artifact
    tables = described_tables(read_schema(artifact.storage, artifact.manifest))
    tables = {name: _with_room_for_secrets(table) for name, table in tables.items()}
    try:
        create_tables(
            connection,
            scratch.name,
            list(tables.values()),
            unlogged=not upgrade_follows,
            roomy=_GIVEN_KEYS if _gives_keys(scratch) else (),
        )
    except OperationalError:
        # A full disk or a lost connection says nothing of the tables.
        raise
    except DatabaseError as error:
        raise _not_made_again("tables", error) from error
    execute(
        connection,
        sql.SQL("insert into {} (version_num) values ({})").format(
            scratch.table(REVISION_TABLE), sql.Literal(artifact.manifest["revision"])
        ),
    )
    connection.commit()
    _restore_rows(scratch, tables, processes, progress)
    _check_content(scratch, tables, processes)
    if upgrade_follows:
        try:
            complete_tables(connection, scratch.name, _with_named_indexes(artifact, tables))
        except OperationalError:
            raise
        except DatabaseError as error:
            raise _not_made_again("constraints and indexes", error) from error
    connection.commit()


def _with_room_for_secrets(table: Table) -> Table:
    """The table with columns of any length for secrets: encrypted they are longer, and the source's may be in clear.

    The flags that say so are booleans, whatever somebody has made of the source's.
    """
    secrets = ENCRYPTED_COLUMNS.get(table.name, ())
    encrypted, flags = [secret.column for secret in secrets], [secret.flag for secret in secrets]
    columns = []
    for column in table.columns:
        if column.name in encrypted and column.most_characters:
            column = column._replace(type="text")
        if column.name in flags and column.type != "boolean":
            column = column._replace(type="boolean", default=None)
        columns.append(column)
    return table._replace(columns=columns)


def _gives_keys(scratch: ScratchSchema) -> bool:
    """Whether the migrations ahead are those that lead from 2.x to 3.x; elsewhere the room would stay empty."""
    source, target = scratch.artifact.manifest["airflow_version"], scratch.target.airflow_version
    return version_tuple(source) < AIRFLOW_3 <= version_tuple(target)


def _with_named_indexes(artifact: Artifact, tables: dict[str, Table]) -> list[Table]:
    """The tables with those indexes only that the migrations ahead may drop, rename or make again.

    All others would be written to for each row that a migration updates: a million task instances take a minute
    longer to get the keys that Airflow 3 gives them.
    """
    named = names_in_migrations(after=artifact.manifest["revision"])
    return [
        table._replace(indexes=[index for index in table.indexes if index.unique or index.name in named])
        for table in tables.values()
    ]


def _not_made_again(what: str, error: DatabaseError) -> RestoreFailed:
    message = (
        f"The source's {what} cannot be made again: {{}}. Trying again will not help: drop or change what the message "
        "names in the source, and export again. Excluding the table would not help either: that leaves out the rows of "
        "a table of Airflow's, and its migrations still need the table."
    )
    return RestoreFailed(with_reason(message, error))


def _restore_rows(scratch: ScratchSchema, tables: dict[str, Table], processes: int, progress: Progress) -> None:
    entries = scratch.artifact.tables
    begun = time.monotonic()
    key = fernet()
    for name in sorted(set(ENCRYPTED_COLUMNS) & set(entries)):
        rows = restore_encrypted(scratch, tables[name], key)
        progress.table("restore", name, rows, time.monotonic() - begun)
    copies = [
        Job(
            name,
            part["bytes"],
            {"kind": "copy_in", "schema": scratch.name, "table": name, "columns": entry["columns"], "part": part},
        )
        for name, entry in entries.items()
        if name not in ENCRYPTED_COLUMNS
        for part in entry["parts"]
    ]
    restored = dict.fromkeys(entries, 0)
    waiting = {name: sum(1 for job in copies if job.label == name) for name in restored}
    for job, result in _run(scratch, copies, processes):
        restored[job.label] += result["rows"]
        waiting[job.label] -= 1
        if not waiting[job.label]:
            progress.table("restore", job.label, restored[job.label], time.monotonic() - begun)


def _check_content(scratch: ScratchSchema, tables: dict[str, Table], processes: int) -> None:
    entries = scratch.artifact.tables
    algorithm = scratch.artifact.manifest["checksum_algorithm"]
    if algorithm == HASH_RECORD and fastest_algorithm(scratch.connection) != HASH_RECORD:
        message = "The artifact's checksums need PostgreSQL 14 or later, and this server is {}. Upgrade the server."
        raise DatabaseNotSupported(message.format(scratch.connection.server_version))
    encoding = scratch.connection.get_parameter_status("server_encoding")
    checks = []
    for name, entry in entries.items():
        left_out = ciphertext_columns(name)
        columns = [tables[name].column(column) for column in entry["columns"] if column not in left_out]
        query = checksum_query(scratch.table(name), columns, algorithm, server_encoding=encoding)
        request = {"kind": "checksum", "query": query.as_string(scratch.connection)}
        checks.append(Job(name, entry["bytes"], request))
    for job, result in _run(scratch, checks, processes):
        entry = entries[job.label]
        same = entry["checksum"] is None or result["value"] == entry["checksum"]
        if result["rows"] != entry["rows"] or not same:
            message = "{}: {} rows came back with checksum {}; the source had {} rows with checksum {}. Export again."
            raise RestoreFailed(
                message.format(job.label, result["rows"], result["value"], entry["rows"], entry["checksum"])
            )


def _run(scratch: ScratchSchema, jobs: list[Job], processes: int) -> Any:
    session = Session(scratch.target.place.connection_parameters(), application_name=scratch.name)
    stay_alive = partial(keep_alive, scratch.connection)
    return run_jobs(jobs, processes, scratch.artifact.storage.url, session, while_waiting=stay_alive)
