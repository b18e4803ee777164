"""A copying process: reads jobs from standard input, a JSON object a line, and answers each with one.

Copying takes processes because psycopg2 holds Python's lock for every row, and processes without Airflow because
importing Airflow costs seconds and 100 MB in each. ``workers.py`` is the other end.

The first line opens: ``{"storage", "session": {"parameters", "application_name", "snapshot"} or null}``. The jobs, by
``kind``, with their results:

* ``copy_out``: ``{"query", "prefix"}`` to ``{"rows", "parts"}``
* ``copy_out_slices``: ``{"table", "columns", "rows", "prefix"}`` to ``{"rows", "parts"}``, for rows with large values;
  a column is ``[name, is bytea]``, a row ``[oid of its table, ctid]``
* ``copy_in``: ``{"schema", "table", "columns", "part"}`` to ``{"rows"}``
* ``check_part``: ``{"part"}`` to ``{}``
* ``checksum``: ``{"query"}`` to ``{"rows", "value"}``
* ``counts``: ``{"query"}`` to ``{"counts"}``, the columns of its one row

An answer is ``{"result": ...}`` or ``{"error": {"name", "message"}}``. When standard input ends the process exits at
once, even in the middle of a job: its parent has gone, and the server rolls back what was begun.
"""

from __future__ import annotations

import json
import queue
import sys
from typing import Any, Callable, Dict

from psycopg2 import Error as DatabaseError
from psycopg2 import sql

from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.artifact.parts import BLOCK_BYTES, PartReader, PartWriter, check_part, row_buffer
from mwaa_migrator.child_process import exit_with_parent
from mwaa_migrator.copying.slices import slices
from mwaa_migrator.errors import MigratorError
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.session import execute, fetch_all
from mwaa_migrator.this_airflow.place import connect_with

Answer = Dict[str, Any]


class Worker:
    def __init__(self, opening: dict[str, Any]) -> None:
        self._storage = open_storage(opening["storage"])
        self._connection: Any = None
        self._reads_snapshot = False
        session = opening["session"]
        if session:
            self._connection = connect_with(session["parameters"], session["application_name"])
            self._reads_snapshot = bool(session["snapshot"])
            if self._reads_snapshot:
                execute(self._connection, "begin isolation level repeatable read read only")
                execute(self._connection, "set transaction snapshot %s", (session["snapshot"],))

    def copy_out(self, job: dict[str, Any]) -> Answer:
        parts = PartWriter(self._storage, job["prefix"])
        buffer = row_buffer(parts)
        try:
            with self._connection.cursor() as cursor:
                cursor.copy_expert("copy (" + job["query"] + ") to stdout", buffer)
                rows = cursor.rowcount
            buffer.flush()
            parts.close()
        except BaseException:
            parts.abort()
            raise
        return {"rows": rows, "parts": parts.parts}

    def copy_out_slices(self, job: dict[str, Any]) -> Answer:
        parts = PartWriter(self._storage, job["prefix"])
        try:
            for row in job["rows"]:
                for number, (column, is_bytea) in enumerate(job["columns"]):
                    if number:
                        parts.write(b"\t")
                    for piece in slices(self._connection, job["table"], row, column, is_bytea):
                        parts.write(piece)
                parts.write(b"\n")
            parts.close()
        except BaseException:
            parts.abort()
            raise
        return {"rows": len(job["rows"]), "parts": parts.parts}

    def copy_in(self, job: dict[str, Any]) -> Answer:
        reader = PartReader(self._storage, job["part"])
        statement = sql.SQL("copy {} ({}) from stdin").format(
            identifiers.qualified(job["schema"], job["table"]), identifiers.columns(job["columns"])
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

    def check_part(self, job: dict[str, Any]) -> Answer:
        check_part(self._storage, job["part"])
        return {}

    def checksum(self, job: dict[str, Any]) -> Answer:
        ((rows, value),) = fetch_all(self._connection, job["query"])
        if not self._reads_snapshot:
            # A proxy can keep the session, and the table's lock with it, for a while after this process has gone.
            self._connection.rollback()
        return {"rows": rows, "value": value}

    def counts(self, job: dict[str, Any]) -> Answer:
        (row,) = fetch_all(self._connection, job["query"])
        return {"counts": list(row)}

    def handle(self, job: dict[str, Any]) -> Answer:
        kinds: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "copy_out": self.copy_out,
            "copy_out_slices": self.copy_out_slices,
            "copy_in": self.copy_in,
            "check_part": self.check_part,
            "checksum": self.checksum,
            "counts": self.counts,
        }
        return kinds[job["kind"]](job)


def main() -> None:
    incoming: queue.Queue[dict[str, Any]] = queue.Queue()
    exit_with_parent(lambda line: incoming.put(json.loads(line)))
    worker: Worker | None = None
    while True:
        request = incoming.get()
        try:
            if worker is None:
                worker = Worker(request)
                answer: Answer = {"result": {}}
            else:
                answer = {"result": worker.handle(request)}
        except (MigratorError, DatabaseError) as error:
            answer = {"error": {"name": type(error).__name__, "message": str(error).strip()}}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
