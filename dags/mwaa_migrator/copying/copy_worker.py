"""A copying process: reads jobs from standard input, one JSON object a line, and answers each with one.

Copying runs in processes because psycopg2 takes Python's lock for every row, and in processes of their own, without
Airflow, because importing Airflow costs seconds and 100 MB each. ``workers.py`` is the other end.

The first line opens: ``{"recipe", "application_name", "storage", "snapshot"}``. Jobs have ``kind``:

* ``copy_out``: ``{"query", "prefix"}`` to ``{"rows", "parts"}``
* ``copy_in``: ``{"table", "columns", "part", "schema"}`` to ``{"rows"}``
* ``check_part``: ``{"part"}`` to ``{}``
* ``checksum``: ``{"query"}`` to ``{"rows", "value"}``

An answer is ``{"result": ...}`` or ``{"error": {"name", "message"}}``. When standard input ends the process exits at
once, in the middle of a job too: its parent is gone, and the server rolls back what was begun.
"""

from __future__ import annotations

import json
import queue
import sys
from typing import Any, Callable

from psycopg2 import Error as DatabaseError
from psycopg2 import sql

from mwaa_migrator.artifact.parts import BLOCK_BYTES, PartReader, PartWriter, check_part, row_buffer
from mwaa_migrator.artifact.storage import Storage, open_storage
from mwaa_migrator.copying.child_process import exit_with_parent
from mwaa_migrator.errors import MigratorError
from mwaa_migrator.postgres.catalog import qualified
from mwaa_migrator.postgres.session import execute, fetch_all, identifiers
from mwaa_migrator.this_airflow.database import connect_by_recipe


class Worker:
    def __init__(self, opening: dict[str, Any]) -> None:
        self._storage: Storage = open_storage(opening["storage"])
        self._connection: Any = None
        if opening["recipe"]:
            self._connection = connect_by_recipe(opening["recipe"], opening["application_name"])
        if opening.get("snapshot"):
            execute(self._connection, "begin isolation level repeatable read read only")
            execute(self._connection, "set transaction snapshot %s", (opening["snapshot"],))

    def copy_out(self, job: dict[str, Any]) -> dict[str, Any]:
        parts = PartWriter(self._storage, job["prefix"])
        buffer = row_buffer(parts)
        try:
            with self._connection.cursor() as cursor:
                cursor.copy_expert("copy ({}) to stdout".format(job["query"]), buffer)
                rows = cursor.rowcount
            buffer.flush()
            parts.close()
        except BaseException:
            parts.abort()
            raise
        return {"rows": rows, "parts": parts.parts}

    def copy_in(self, job: dict[str, Any]) -> dict[str, Any]:
        reader = PartReader(self._storage, job["part"])
        statement = sql.SQL("copy {} ({}) from stdin").format(
            qualified(job["schema"], job["table"]), identifiers(job["columns"])
        )
        try:
            with self._connection.cursor() as cursor:
                cursor.copy_expert(statement, reader, BLOCK_BYTES)
                rows = cursor.rowcount
            self._connection.commit()
        except BaseException:
            if not self._connection.closed:
                self._connection.rollback()
            if reader.failure is not None:
                raise reader.failure from None
            raise
        finally:
            reader.close()
        return {"rows": rows}

    def check_part(self, job: dict[str, Any]) -> dict[str, Any]:
        check_part(self._storage, job["part"])
        return {}

    def checksum(self, job: dict[str, Any]) -> dict[str, Any]:
        ((rows, value),) = fetch_all(self._connection, job["query"])
        return {"rows": rows, "value": value}

    def handle(self, job: dict[str, Any]) -> dict[str, Any]:
        kinds: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "copy_out": self.copy_out,
            "copy_in": self.copy_in,
            "check_part": self.check_part,
            "checksum": self.checksum,
        }
        try:
            return {"result": kinds[job["kind"]](job)}
        except MigratorError as error:
            return {"error": {"name": error.name, "message": str(error)}}
        except DatabaseError as error:
            return {"error": {"name": type(error).__name__, "message": str(error).strip()}}


def main() -> None:
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    exit_with_parent(lambda line: jobs.put(json.loads(line)))
    worker: Worker | None = None
    while True:
        job = jobs.get()
        try:
            if worker is None:
                worker = Worker(job)
                answer: dict[str, Any] = {"result": {}}
            else:
                answer = worker.handle(job)
        except (MigratorError, DatabaseError) as error:
            answer = {"error": {"name": type(error).__name__, "message": str(error).strip()}}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
