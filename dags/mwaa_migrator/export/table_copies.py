"""Which jobs copy a table into the artifact: ranges of it side by side, rows with large values, and its checksum."""

from __future__ import annotations

from typing import Sequence, Tuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.encryption import ENCRYPTED_COLUMNS, ciphertext_columns
from mwaa_migrator.artifact.manifest import TABLES
from mwaa_migrator.copying.workers import Job
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Column, Table
from mwaa_migrator.postgres.checksums import checksum_query
from mwaa_migrator.postgres.session import fetch_all, fetch_value
from mwaa_migrator.this_airflow.database import MetadataDatabase

#: Heap bytes of one range of a big table.
RANGE_BYTES = 128 * 1024 * 1024

#: COPY hands over a row as a whole, and libpq, psycopg2 and Python each hold a copy of it. A row with a value of more
#: bytes is therefore copied in slices.
LARGE_VALUE_BYTES = 32 * 1024 * 1024

#: How many times its size in the table a value can have at most, because PostgreSQL compresses it.
_MOST_COMPRESSED = 300

#: Types whose values can be large, and tell their length without being read.
_LARGE_TYPES = ("bytea", "text", "character varying")
_JSON = ("json", "jsonb")

#: Where a row is: the oid of its table, which may be a partition or an heir of the one that is asked, and its ``ctid``.
Place = Tuple[int, str]

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
    size = _size(source, table)
    jobs: list[Job] = []
    if table.name not in ENCRYPTED_COLUMNS:
        ranges = _ranges(source, name)
        large = _find_large_rows(source, table, condition)
        if large:
            request = {
                "kind": "copy_out_slices",
                "table": name,
                "columns": [[column.name, column.type == "bytea"] for column in table.columns],
                "rows": large,
                "prefix": f"{TABLES}/{table.name}/{len(ranges):04d}",
            }
            jobs.append(Job(table.name, len(large) * LARGE_VALUE_BYTES, request))
        not_large = [sql.SQL("(t.tableoid::bigint, t.ctid) not in ({})").format(_places(large))] if large else []
        for number, of_range in enumerate(ranges):
            conditions = ([] if condition is None else [condition]) + of_range + not_large
            query = select(source, table, sql.SQL(" and ").join(conditions) if conditions else None, table.column_names)
            prefix = f"{TABLES}/{table.name}/{number:04d}"
            request = {"kind": "copy_out", "query": query.as_string(connection), "prefix": prefix}
            jobs.append(Job(table.name, size // len(ranges), request))
    return jobs


def checksum_job(source: MetadataDatabase, table: Table, condition: sql.Composable | None) -> Job:
    """The job that computes the checksum of a table, without its secrets."""
    connection = source.connection
    columns = [column for column in table.columns if column.name not in ciphertext_columns(table.name)]
    encoding = connection.get_parameter_status("server_encoding")
    query = checksum_query(source.table(table.name), columns, source.checksum_algorithm, condition, encoding)
    weight = _size(source, table) // 2
    return Job(table.name, weight, {"kind": "checksum", "query": query.as_string(connection)})


def _size(source: MetadataDatabase, table: Table) -> int:
    """In bytes."""
    name = source.table(table.name).as_string(source.connection)
    return int(fetch_value(source.connection, "select pg_table_size(%s::regclass)", (name,)))


def _places(rows: Sequence[Place]) -> sql.Composable:
    return sql.SQL(", ").join(
        [sql.SQL("({}, {}::tid)").format(sql.Literal(table), sql.Literal(ctid)) for table, ctid in rows]
    )


def _find_large_rows(source: MetadataDatabase, table: Table, condition: sql.Composable | None) -> list[Place]:
    """Where the rows are that have a large value. Few tables can have one; only these are read."""
    toast = sql.SQL(
        "with recursive family (oid) as (select {}::regclass::oid "
        "union select i.inhrelid from pg_inherits i join family f on i.inhparent = f.oid) "
        "select coalesce(sum(pg_relation_size(nullif(c.reltoastrelid, 0))), 0) "
        "from family f join pg_class c on c.oid = f.oid"
    )
    name = source.table(table.name).as_string(source.connection)
    if fetch_value(source.connection, toast.format(sql.Literal(name))) < LARGE_VALUE_BYTES // _MOST_COMPRESSED:
        return []
    lengths = [_is_large(column) for column in table.columns if column.type.split("(")[0] in _LARGE_TYPES + _JSON]
    if not lengths:
        return []
    query = sql.SQL("select t.tableoid::bigint, t.ctid::text from {} t where ({})").format(
        source.table(table.name), sql.SQL(" or ").join(lengths)
    )
    if condition is not None:
        query += sql.SQL(" and ") + condition
    return [(table_oid, ctid) for table_oid, ctid in fetch_all(source.connection, query)]


def _is_large(column: Column) -> sql.Composable:
    value, most = identifiers.column("t", column.name), sql.Literal(LARGE_VALUE_BYTES)
    if column.type not in _JSON:
        return sql.SQL("octet_length({}) > {}").format(value, most)
    # As text, of those alone that may be large: what a value takes in the table is known without reading it.
    may_be = sql.SQL("pg_column_size({}) > {}").format(value, sql.Literal(LARGE_VALUE_BYTES // _MOST_COMPRESSED))
    return sql.SQL("case when {} then octet_length({}::text) > {} else false end").format(may_be, value, most)


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
