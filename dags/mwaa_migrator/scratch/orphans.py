"""Rows whose parent is not in the artifact, although a foreign key asks for it.

A database restored with its triggers disabled has them, and so has an artifact from which an option left the parent
out. They are looked for only once Airflow's migrations or the merge have met one: looking costs as much as checking
every foreign key, and hardly any database has them.

A reference to a surrogate key that may be NULL is cleared (a run without its log template, a task without its trigger).
Any other row without its parent is moved to a table of its own, and with it those that it was the parent of.
"""

from __future__ import annotations

from typing import Any, Container, Dict, List

from psycopg2 import sql

from mwaa_migrator.airflow_schema.tables import SET_ASIDE_PREFIX
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Constraint, Table
from mwaa_migrator.postgres.foreign_keys import can_be_cleared, without_parent
from mwaa_migrator.postgres.row_names import listed
from mwaa_migrator.postgres.session import execute, fetch_all

#: Followed by the table's name. As in the names of Airflow's own tables of this kind, it comes after the last ``__``.
ORPHANS_PREFIX = SET_ASIDE_PREFIX + "__no_parent__"

_EXAMPLES = 3


def set_orphans_aside(connection: Any, schema: str, tables: Dict[str, Table], filled: Container[str]) -> List[str]:
    """Clear or move what has no parent, commit, and return a line for each foreign key that was broken.

    ``tables`` say which foreign keys there should be; ``filled`` are the tables whose rows the artifact holds.
    """
    lines: List[str] = []
    found = True
    # A row that goes can leave others without their parent.
    while found:
        found = False
        for table in tables.values():
            for key in table.foreign_keys:
                if table.name in filled and key.parent in filled and key.parent in tables:
                    line = _settle(connection, schema, table, key, tables[str(key.parent)])
                    if line is not None:
                        found = True
                        lines.append(line)
    connection.commit()
    return lines


def _settle(connection: Any, schema: str, table: Table, key: Constraint, parent: Table) -> str | None:
    child = identifiers.qualified(schema, table.name)
    orphaned = without_parent(schema, key)
    names = table.primary_key or table.column_names[:3]
    query = sql.SQL("select concat_ws(' ', {}) from {} t where {} order by 1 limit {}")
    columns = identifiers.columns(names, "t")
    examples = [
        name for (name,) in fetch_all(connection, query.format(columns, child, orphaned, sql.Literal(_EXAMPLES)))
    ]
    if not examples:
        return None
    if can_be_cleared(table, key, parent):
        statement = sql.SQL("update {} t set {} = null where {}").format(
            child, sql.Identifier(key.columns[0]), orphaned
        )
        rows = execute(connection, statement)
        done = f"{key.columns[0]} was cleared"
    else:
        rows = _move(connection, schema, table, orphaned)
        done = "set aside"
    return f"{rows} rows of {table.name} whose {parent.name} is missing, {done}: {listed(examples, rows)}"


def _move(connection: Any, schema: str, table: Table, condition: sql.Composable) -> int:
    child = identifiers.qualified(schema, table.name)
    aside = identifiers.qualified(schema, ORPHANS_PREFIX + table.name)
    execute(connection, sql.SQL("create table if not exists {} (like {})").format(aside, child))
    rows = execute(connection, sql.SQL("insert into {} select t.* from {} t where {}").format(aside, child, condition))
    execute(connection, sql.SQL("delete from {} t where {}").format(child, condition))
    return rows
