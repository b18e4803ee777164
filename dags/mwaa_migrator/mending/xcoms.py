"""Makes XComs fit for Airflow 3's migration ``eed27faa34e3``, which makes jsonb of them and archives pickles.

Only XComs that need it are read, and the server says which: it tries what the migration will do.
"""

from __future__ import annotations

import time
from typing import Any, List, Mapping, Tuple

from psycopg2 import DataError, sql
from psycopg2.errors import ProgramLimitExceeded, QueryCanceled, StatementTooComplex

from mwaa_migrator.airflow_schema.migration_rules import HAS_NO_NUMBER
from mwaa_migrator.mending.batches import read_in_batches, write
from mwaa_migrator.mending.named_rows import EXAMPLES, NamedRows
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
from mwaa_migrator.wording import counted

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


#: The same without writing: the first so many places and reasons go into a setting of the transaction, as JSON.
MOST_FAILURES = 100_000
_ONE_BY_ONE_READ_ONLY = """
    declare
      candidate tid;
      failures text[] := '{{}}';
    begin
      for candidate in select t.ctid from {table} t where ({condition}) and not {is_pickle} loop
        begin
          perform {conversion} from {table} t where t.ctid = candidate;
        exception when query_canceled then
          raise;
        when others then
          failures := failures || jsonb_build_array(candidate::text, sqlerrm)::text;
          exit when cardinality(failures) = {most};
        end;
      end loop;
      perform set_config('mwaa_migrator.no_jsonb', array_to_string(failures, chr(10)), true);
    end
"""
_FAILURES_IN_SETTING = """
    (select (f::jsonb ->> 0)::tid as place, f::jsonb ->> 1 as reason
       from unnest(string_to_array(current_setting('mwaa_migrator.no_jsonb'), chr(10))) f)
"""
_PICKLED_IN_SOURCE = (
    "their value is pickled; it becomes Airflow's JSON where it is plain, and stays in a table that Airflow 3 does not "
    "read (_xcom_archive) where it is not"
)


def mend_xcoms(connection: Any, schema: str, pickled_xcoms: str) -> List[str]:
    """Return a line for each kind of change, with examples. The table's values are of type bytea."""
    xcoms = _XComs(connection, qualified(schema, "xcom"), sql.SQL("true"))
    xcoms.mend_json()
    if pickled_xcoms == CONVERT:
        xcoms.convert_pickles()
    return xcoms.found.lines()


def find_xcoms_to_mend(
    connection: Any, table: sql.Composable, condition: sql.Composable, seconds: float
) -> Tuple[NamedRows, List[str]]:
    """The XComs for which the condition holds (alias ``t``) and that would be mended; nothing is written.

    Also what was left unread, in sentences. A query that takes longer than ``seconds`` is given up, and of larger
    values than MOST_BYTES_OF_PICKLE none is read. The connection is in a transaction.
    """
    xcoms = _XComs(connection, table, condition)
    execute(connection, "savepoint before_xcoms")
    execute(connection, "select set_config('statement_timeout', %s, true)", (f"{seconds:.0f}s",))
    try:
        unread = xcoms.find(time.monotonic() + seconds)
    except QueryCanceled:
        unread = [f"not all XComs were looked at: it would have taken more than {seconds:.0f} s"]
    execute(connection, "rollback to savepoint before_xcoms")
    return xcoms.found, unread


class _XComs:
    """Those for which ``condition`` holds, on alias ``t``."""

    def __init__(self, connection: Any, table: sql.Composable, condition: sql.Composable) -> None:
        self._connection = connection
        self._table = table
        self._condition = condition
        self.found = NamedRows("XCom")

    def find(self, until: float) -> List[str]:
        """Return what was left unread, in sentences."""
        unread: List[str] = []
        if not self._all_become_jsonb():
            program = self._sql(_ONE_BY_ONE_READ_ONLY, most=sql.Literal(MOST_FAILURES)).as_string(self._connection)
            execute(self._connection, sql.SQL("do {}").format(sql.Literal(program)))
        else:
            execute(self._connection, "select set_config('mwaa_migrator.no_jsonb', '', true)")
        candidates = self._candidates(_FAILURES_IN_SETTING)
        small = sql.SQL("select * from ({}) c where size <= {}").format(candidates, sql.Literal(MOST_BYTES_OF_PICKLE))
        failures = 0
        for rows in read_in_batches(self._connection, small, self._table, "value"):
            for _, value, (name, reason) in rows:
                self._told(name, mend_json(value, reason))
                failures += reason is not None
            if time.monotonic() > until:
                raise QueryCanceled()
        if failures >= MOST_FAILURES:
            unread.append(f"only the first {MOST_FAILURES:,} XComs that are no jsonb were looked at")
        large = sql.SQL("select count(*) from ({}) c where size > {}").format(
            candidates, sql.Literal(MOST_BYTES_OF_PICKLE)
        )
        left = fetch_value(self._connection, large)
        if left:
            what = f"{counted(left, 'XCom')} of more than {MOST_BYTES_OF_PICKLE >> 20} MB"
            unread.append(f"{what} {'was' if left == 1 else 'were'} not looked at")
        query = self._sql(
            "select count(*) over (), {name} from {table} t where ({condition}) and {is_pickle} limit {examples}",
            examples=sql.Literal(EXAMPLES),
        )
        pickled = fetch_all(self._connection, query)
        if pickled:
            self.found.add_counted(pickled[0][0], [name for _, name in pickled], _PICKLED_IN_SOURCE)
        return unread

    def mend_json(self) -> None:
        self._find_no_jsonb()
        query = self._candidates("pg_temp.mwaa_migrator_no_jsonb")
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
        if mended.reason != SAME:
            self.found.add(name, mended.reason)
        return mended

    def _write(self, values: Mapping[str, bytes | None]) -> None:
        write(self._connection, self._table, "value", values)

    def _find_no_jsonb(self) -> None:
        connection = self._connection
        execute(connection, "drop table if exists pg_temp.mwaa_migrator_no_jsonb")
        execute(connection, "create temporary table mwaa_migrator_no_jsonb (place tid, reason text) on commit drop")
        if not self._all_become_jsonb():
            program = self._sql(_ONE_BY_ONE).as_string(connection)
            execute(connection, sql.SQL("do {}").format(sql.Literal(program)))

    def _candidates(self, failures: str) -> sql.Composed:
        """What ``read_in_batches`` takes; ``failures`` has the places that are no jsonb, each with its reason."""
        return self._sql(
            "select t.ctid::text, octet_length(t.value) as size, {name} as name, n.reason from {table} t "
            "left join {failures} n on n.place = t.ctid "
            "where ({condition}) and (n.place is not null or ({has_no_number}) and not {is_pickle})",
            failures=sql.SQL(failures),
            has_no_number=sql.SQL(HAS_NO_NUMBER),
        )

    def _all_become_jsonb(self) -> bool:
        connection = self._connection
        execute(connection, "savepoint before_conversion")
        query = "select count({conversion}) from {table} t where ({condition}) and not {is_pickle}"
        try:
            fetch_value(connection, self._sql(query))
        except (DataError, ProgramLimitExceeded, StatementTooComplex):
            execute(connection, "rollback to savepoint before_conversion")
            return False
        return True

    def _sql(self, query: str, **more: sql.Composable) -> sql.Composed:
        return sql.SQL(query).format(
            table=self._table,
            condition=self._condition,
            name=row_name(_NAME, self._connection.get_parameter_status("server_encoding")),
            is_pickle=sql.SQL(_IS_PICKLE),
            conversion=sql.SQL(_AS_JSONB),
            **more,
        )
