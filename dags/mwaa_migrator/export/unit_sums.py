"""Counts and sums the source's rows by unit, in the database and in one snapshot: one pass over each table."""

from __future__ import annotations

from functools import partial
from typing import Any, Dict

from psycopg2 import sql

from mwaa_migrator.airflow_schema.units import Unit, unit_of
from mwaa_migrator.artifact.manifest import SUMS
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.copying.workers import Job, Session, run_jobs
from mwaa_migrator.export.history_cut import HistoryCut
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.checksums import portable_row_hash
from mwaa_migrator.postgres.session import fetch_value, keep_alive


def write_sums(cut: HistoryCut, algorithm: str, storage: Storage, session: Session, processes: int) -> Dict[str, Any]:
    """Write the sums of every exported table; returns what the manifest says of them.

    ``{"algorithm", "tables": {name: {"unit", "columns", "parts"}}}``. They are over all columns, secrets as they are
    stored. ``algorithm`` is one of ``postgres.checksums``: sums can be compared only with those of the same one.
    """
    tables = cut.plan.tables
    units = {name: unit_of(table, tables) for name, table in tables.items()}
    jobs = [_job(cut, table, units[name], algorithm) for name, table in tables.items()]
    entries: Dict[str, Dict[str, Any]] = {}
    stay_alive = partial(keep_alive, cut.plan.source.connection)
    for job, result in run_jobs(jobs, processes, storage.url, session, while_waiting=stay_alive):
        unit = units[job.label]
        entries[job.label] = {"unit": unit.kind, "columns": list(unit.columns), "parts": result["parts"]}
    return {"algorithm": algorithm, "tables": entries}


def _job(cut: HistoryCut, table: Table, unit: Unit, algorithm: str) -> Job:
    source = cut.plan.source
    name = source.table(table.name).as_string(source.connection)
    size = int(fetch_value(source.connection, "select pg_table_size(%s::regclass)", (name,)))
    query = _query(cut, table, unit, algorithm).as_string(source.connection)
    return Job(table.name, size, {"kind": "copy_out", "query": query, "prefix": f"{SUMS}/{table.name}/0000"})


def _query(cut: HistoryCut, table: Table, unit: Unit, algorithm: str) -> sql.Composed:
    """A line for each unit: its key, its rows and their sum."""
    source = cut.plan.source
    encoding = source.connection.get_parameter_status("server_encoding")
    condition = cut.condition(table)
    keys = unit.key("t")
    return sql.SQL("select {keys}, count(*), sum({hash}) from {table} t{joins}{where} group by {keys}").format(
        keys=keys,
        hash=portable_row_hash(table.columns, algorithm, encoding),
        table=source.table(table.name),
        joins=unit.way.joined(source.schema) if unit.way else sql.SQL(""),
        where=sql.SQL("") if condition is None else sql.SQL(" where {}").format(condition),
    )
