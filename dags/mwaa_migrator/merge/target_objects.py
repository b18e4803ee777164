"""What somebody has added to the target's tables and PostgreSQL runs for each row: triggers and rules.

They may change, refuse or swallow rows, so a merge whose rows do not arrive names them.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Dict, Iterator, List

from psycopg2 import DataError, Error, IntegrityError
from psycopg2.errors import DatatypeMismatch, ForeignKeyViolation, RaiseException, UndefinedFunction

from mwaa_migrator.errors import RowsDoNotFit
from mwaa_migrator.postgres.session import fetch_all, with_reason

#: What PostgreSQL says where a column's type has become one that Airflow's values are not, and cannot be compared with.
_OTHER_TYPES = (DatatypeMismatch, UndefinedFunction)

_TRIGGERS_AND_RULES = """
    select c.relname::text, added.kind || ' ' || added.name
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join (select tgrelid as relation, 'trigger' as kind, tgname::text as name from pg_catalog.pg_trigger
             where not tgisinternal and tgenabled <> 'D'
             union all
            select ev_class, 'rule', rulename::text from pg_catalog.pg_rewrite where ev_enabled <> 'D') added
        on added.relation = c.oid
     where n.nspname = %s and c.relkind in ('r', 'p') order by 1, 2
"""


class TargetObjects:
    """The triggers and rules of a schema's tables, as they were when this was made."""

    def __init__(self, connection: Any, schema: str) -> None:
        self._of_table: Dict[str, List[str]] = {}
        for table, name in fetch_all(connection, _TRIGGERS_AND_RULES, (schema,)):
            self._of_table.setdefault(table, []).append(name)

    def where_to_look(self, table: str) -> str:
        """A sentence about why rows that were inserted into the table are not there, or are others."""
        found = self._of_table.get(table)
        if not found:
            return "The target's table has neither triggers nor rules, so report this as a defect."
        return f"Disable or drop what changes rows on their way into the target's table: {', '.join(found)}."

    @contextmanager
    def named_refusals(self, table: str) -> Iterator[None]:
        """Turn an error for which the table takes no row into RowsDoNotFit, but for a missing parent's."""
        try:
            yield
        except ForeignKeyViolation:
            raise
        except (IntegrityError, DataError, RaiseException, *_OTHER_TYPES) as error:
            raise RowsDoNotFit(self._refusal(table, error)) from error

    def _refusal(self, table: str, error: Error) -> str:
        found = self._of_table.get(table)
        names = f" (it has {', '.join(found)})" if found else ""
        return with_reason(
            f"{table}: the target's table does not take the rows: {{}}. Nothing was merged. Drop or change what "
            f"refuses them there{names}, correct the rows in the source and export again, or leave the table out with "
            "options.excludeTables (--exclude-tables on the command line).",
            error,
        )
