"""Which jobs copy a table into the artifact: ranges of a big table side by side, and its checksum."""

from __future__ import annotations

from typing import Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.encryption import ENCRYPTED_COLUMNS, ciphertext_columns
from mwaa_migrator.artifact.manifest import TABLES
from mwaa_migrator.copying.workers import Job
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.checksums import checksum_query
from mwaa_migrator.postgres.session import fetch_value
from mwaa_migrator.this_airflow.database import MetadataDatabase

#: Heap bytes of one range of a big table.
RANGE_BYTES = 128 * 1024 * 1024

#: Before PostgreSQL 14 a condition on ctid reads the whole table, so a table is one range there.
RANGES_SINCE = 140000


def select(
    source: MetadataDatabase, table: Table, condition: sql.Composable | None, columns: Sequence[str]
) -> sql.Composed:
    """The query for these columns of the rows, alias ``t``, for which the condition holds."""
    query = sql.SQL("select {} from {} t").format(identifiers.columns(columns, "t"), source.table(table.name))
    return query if condition is None else query + sql.SQL(" where ") + condition


def copy_jobs(source: MetadataDatabase, table: Table, condition: sql.Composable | None) -> list[Job]:
    """The jobs of one table; the rows of those with encrypted columns do not go through a copying process."""
    connection = source.connection
    name = source.table(table.name).as_string(connection)
    size = int(fetch_value(connection, "select pg_table_size(%s::regclass)", (name,)))
    jobs = []
    if table.name not in ENCRYPTED_COLUMNS:
        ranges = _ranges(source, name)
        for number, of_range in enumerate(ranges):
            conditions = ([] if condition is None else [condition]) + of_range
            query = select(source, table, sql.SQL(" and ").join(conditions) if conditions else None, table.column_names)
            prefix = f"{TABLES}/{table.name}/{number:04d}"
            request = {"kind": "copy_out", "query": query.as_string(connection), "prefix": prefix}
            jobs.append(Job(table.name, size // len(ranges), request))
    columns = [column for column in table.columns if column.name not in ciphertext_columns(table.name)]
    encoding = connection.get_parameter_status("server_encoding")
    checksum = checksum_query(source.table(table.name), columns, source.checksum_algorithm, condition, encoding)
    jobs.append(Job(table.name, size // 2, {"kind": "checksum", "query": checksum.as_string(connection)}))
    return jobs


def _ranges(source: MetadataDatabase, name: str) -> list[list[sql.Composable]]:
    """The conditions on alias ``t`` of each range of pages; the first and the last are open."""
    heap = int(fetch_value(source.connection, "select pg_relation_size(%s::regclass)", (name,)))
    block = int(fetch_value(source.connection, "select current_setting('block_size')::int"))
    count = max(1, heap // RANGE_BYTES) if source.connection.server_version >= RANGES_SINCE else 1
    pages = heap // block // count + 1
    ranges = []
    for number in range(count):
        conditions: list[sql.Composable] = []
        if number:
            conditions.append(sql.SQL("t.ctid >= {}::tid").format(sql.Literal(f"({number * pages},0)")))
        if number < count - 1:
            conditions.append(sql.SQL("t.ctid < {}::tid").format(sql.Literal(f"({(number + 1) * pages},0)")))
        ranges.append(conditions)
    return ranges
