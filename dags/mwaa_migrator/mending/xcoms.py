"""Makes XComs fit for Airflow 3's migration ``eed27faa34e3``, which makes jsonb of them and archives pickles.

Only XComs that need it are read, and the server says which: it tries what the migration will do.
"""

from __future__ import annotations

from typing import Any, List, Mapping

from psycopg2 import DataError, sql
from psycopg2.errors import ProgramLimitExceeded, StatementTooComplex

from mwaa_migrator.airflow_schema.migration_rules import HAS_NO_NUMBER
from mwaa_migrator.mending.batches import read_in_batches, write
from mwaa_migrator.mending.named_rows import NamedRows
from mwaa_migrator.mending.xcom_values import (
    MOST_BYTES_OF_PICKLE,
    SAME,
    Mended,
    convert_pickle,
    mend_json,
)
from mwaa_migrator.options import CONVERT
from mwaa_migrator.postgres.identifiers import qualified
from mwaa_migrator.postgres.row_names import row_name
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value

_NAME = ("dag_id", "task_id", "run_id", "map_index", "key")
_IS_PICKLE = r"substring(t.value from 1 for 1) = '\x80'"
_AS_JSONB = "convert_from(t.value, 'UTF8')::jsonb"

#: Converts row by row, and leaves the places of those that fail, each with the server's reason, in a table.
_ONE_BY_ONE = """
    declare
      candidate tid;
    begin
      for candidate in select t.ctid from {table} t where not {is_pickle} loop
        begin
          perform {conversion} from {table} t where t.ctid = candidate;
        exception when others then
          insert into pg_temp.mwaa_migrator_no_jsonb values (candidate, sqlerrm);
        end;
      end loop;
    end
"""


def mend_xcoms(connection: Any, schema: str, pickled_xcoms: str) -> List[str]:
    """Return a line for each kind of change, with examples. The table's values are of type bytea."""
    xcoms = _XComs(connection, qualified(schema, "xcom"))
    xcoms.mend_json()
    if pickled_xcoms == CONVERT:
        xcoms.convert_pickles()
    return xcoms.found.lines()


class _XComs:
    def __init__(self, connection: Any, table: sql.Composable) -> None:
        self._connection = connection
        self._table = table
        self.found = NamedRows("XComs")

    def mend_json(self) -> None:
        self._find_no_jsonb()
        query = self._sql(
            "select t.ctid::text, octet_length(t.value), {name}, n.reason from {table} t "
            "left join pg_temp.mwaa_migrator_no_jsonb n on n.place = t.ctid "
            "where n.place is not null or ({has_no_number}) and not {is_pickle}",
            has_no_number=sql.SQL(HAS_NO_NUMBER),
        )
        for rows in read_in_batches(self._connection, query, self._table, "value"):
            mended = [self._told(name, mend_json(value, reason)) for _, value, (name, reason) in rows]
            changed = [(row[0], one.data) for row, one in zip(rows, mended) if one.data != row[1]]
            self._write(dict(changed))

    def convert_pickles(self) -> None:
        large = sql.SQL("octet_length(t.value) > {}").format(sql.Literal(MOST_BYTES_OF_PICKLE))
        query = self._sql("select {name} from {table} t where {is_pickle} and {large}", large=large)
        for (name,) in fetch_all(self._connection, query):
            self._told(name, convert_pickle(None))
        query = self._sql(
            "select t.ctid::text, octet_length(t.value), {name} from {table} t where {is_pickle} and not {large}",
            large=large,
        )
        for rows in read_in_batches(self._connection, query, self._table, "value"):
            mended = [self._told(name, convert_pickle(value)) for _, value, (name,) in rows]
            converted = [(row[0], one.data) for row, one in zip(rows, mended) if one.data is not None]
            self._write(dict(converted))

    def _told(self, name: str, mended: Mended) -> Mended:
        if mended.told != SAME:
            self.found.add(name, mended.told)
        return mended

    def _write(self, values: Mapping[str, bytes | None]) -> None:
        write(self._connection, self._table, "value", values)

    def _find_no_jsonb(self) -> None:
        connection = self._connection
        execute(connection, "drop table if exists pg_temp.mwaa_migrator_no_jsonb")
        execute(connection, "create temporary table mwaa_migrator_no_jsonb (place tid, reason text) on commit drop")
        execute(connection, "savepoint before_conversion")
        try:
            fetch_value(connection, self._sql("select count({conversion}) from {table} t where not {is_pickle}"))
            return
        except (DataError, ProgramLimitExceeded, StatementTooComplex):
            execute(connection, "rollback to savepoint before_conversion")
        program = self._sql(_ONE_BY_ONE).as_string(connection)
        execute(connection, sql.SQL("do {}").format(sql.Literal(program)))

    def _sql(self, query: str, **more: sql.Composable) -> sql.Composed:
        return sql.SQL(query).format(
            table=self._table,
            name=row_name(_NAME),
            is_pickle=sql.SQL(_IS_PICKLE),
            conversion=sql.SQL(_AS_JSONB),
            **more,
        )
