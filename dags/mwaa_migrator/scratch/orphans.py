"""Rows whose parent is not in the artifact, although a foreign key asks for it.

A database restored with its triggers disabled has them, and so has an artifact from which an option left the parent
out. They are looked for only once Airflow's migrations or the merge have met one: looking costs as much as checking
every foreign key, and hardly any database has them.

A reference to a surrogate key that may be NULL is cleared (a run without its log template, a task without its trigger).
Any other row without its parent is set aside, its name in a table of its own, and with it those that it was the parent
of.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Container, Dict, List, Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import identity_columns
from mwaa_migrator.airflow_schema.tables import SET_ASIDE_PREFIX
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.catalog import Constraint, Table
from mwaa_migrator.postgres.foreign_keys import can_be_cleared, without_parent
from mwaa_migrator.postgres.row_names import row_name
from mwaa_migrator.postgres.session import execute, fetch_all
from mwaa_migrator.wording import counted, listed

#: Followed by the table's name. As in the names of Airflow's own tables of this kind, it comes after the last ``__``.
ORPHANS_PREFIX = SET_ASIDE_PREFIX + "__no_parent__"

_EXAMPLES = 3

_VIOLATION = re.compile(
    r'on table "([^"]+)" violates foreign key constraint "([^"]+)".*?'
    r'Key \(([^)]+)\)=.* is not present in table "([^"]+)"',
    re.DOTALL,
)
_NO_TASK_INSTANCE = re.compile(r'column "ti_id" of relation "([^"]+)" (?:contains null values|violates not-null)')
_TASK_INSTANCE = ("dag_id", "task_id", "run_id", "map_index")


def set_orphans_aside(connection: Any, schema: str, tables: Dict[str, Table], filled: Container[str]) -> List[str]:
    """Clear or move what has no parent, commit, and return a line for each foreign key that was broken.

    ``tables`` say which foreign keys there should be; ``filled`` are the tables whose rows the artifact holds, or would
    hold without the options that left them out.
    """
    return _settle_all(connection, schema, tables, lambda table, key: table.name in filled and key.parent in filled)


def clear_references(connection: Any, schema: str, tables: Dict[str, Table], parents: Container[str]) -> List[str]:
    """Clear the references to rows of ``parents``, which are not there, where they may be NULL; otherwise the same."""

    def leads_nowhere(table: Table, key: Constraint) -> bool:
        return key.parent in parents and can_be_cleared(table, key, tables[str(key.parent)])

    return _settle_all(connection, schema, tables, leads_nowhere)


def lost_foreign_key(failure: str, tables: Dict[str, Table]) -> Dict[str, Table]:
    """The tables, with a foreign key that a migration makes and that the source has lost, if it failed on that.

    ``tables`` are those of the scratch schema, where the migration has been rolled back.
    """
    violation, no_task = _VIOLATION.search(failure), _NO_TASK_INSTANCE.search(failure)
    if violation:
        child, name, columns = violation.group(1), violation.group(2), tuple(violation.group(3).split(", "))
        parent = violation.group(4)
    elif no_task:
        child, name, columns, parent = no_task.group(1), "ti_id", _TASK_INSTANCE, "task_instance"
    else:
        return tables
    table, of = (tables.get(one) or tables.get(one.replace("asset", "dataset")) for one in (child, parent))
    if table is None or of is None or set(columns) - set(table.column_names):
        return tables
    parent_columns = columns if set(columns) <= set(of.column_names) else of.primary_key
    key = Constraint(name, "f", "", columns, of.name, parent_columns)
    return {**tables, table.name: table._replace(constraints=[*table.constraints, key])}


def _settle_all(
    connection: Any, schema: str, tables: Dict[str, Table], is_wanted: Callable[[Table, Constraint], bool]
) -> List[str]:
    lines: List[str] = []
    found = True
    # A row that goes can leave others without their parent.
    while found:
        found = False
        for table in tables.values():
            for key in table.foreign_keys:
                if key.parent in tables and is_wanted(table, key):
                    settled = _settle(connection, schema, tables, table, key, without_parent(schema, key))
                    found = found or bool(settled)
                    lines += settled
    connection.commit()
    return lines


def _settle(
    connection: Any,
    schema: str,
    tables: Dict[str, Table],
    table: Table,
    key: Constraint,
    orphaned: sql.Composable,
) -> List[str]:
    """Clear the key in the rows for which ``orphaned`` holds (alias ``t``), or move them; a line about each table."""
    child, parent = identifiers.qualified(schema, table.name), tables[str(key.parent)]
    names = identity_columns(table) or table.primary_key or table.column_names[:3]
    query = sql.SQL("select {} from {} t where {} order by 1 limit {}")
    named = query.format(row_name(names), child, orphaned, sql.Literal(_EXAMPLES))
    examples = [name for (name,) in fetch_all(connection, named)]
    if not examples:
        return []
    lines: List[str] = []
    if can_be_cleared(table, key, parent):
        statement = sql.SQL("update {} t set {} = null where {}").format(
            child, sql.Identifier(key.columns[0]), orphaned
        )
        rows = execute(connection, statement)
        done = f"{key.columns[0]} was cleared"
    else:
        lines = _settle_children(connection, schema, tables, table, orphaned)
        rows = _move(connection, schema, table, names, orphaned)
        done = "set aside"
    what = f"{counted(rows, 'row')} of {table.name} whose {parent.name} is missing"
    return [f"{what}, {done}: {listed(examples, rows)}", *lines]


def _settle_children(
    connection: Any, schema: str, tables: Dict[str, Table], table: Table, leaving: sql.Composable
) -> List[str]:
    """Settle what refers to rows that are about to leave: a foreign key that cascades would delete it uncounted."""
    lines: List[str] = []
    parents = sql.Identifier(f"mwaa_migrator_leaving_{table.name}")
    keys = [(one, key) for one in tables.values() for key in one.foreign_keys if key.parent == table.name]
    keys = [(one, key) for one, key in keys if one.name != table.name]
    if keys:
        create = sql.SQL("create temporary table {} as select t.* from {} t where {}")
        execute(connection, create.format(parents, identifiers.qualified(schema, table.name), leaving))
        for one, key in keys:
            pairs = [
                sql.SQL("{} = {}").format(identifiers.column("p", theirs), identifiers.column("t", ours))
                for theirs, ours in zip(key.parent_columns, key.columns)
            ]
            of_leaving = sql.SQL("exists (select 1 from {} p where {})").format(parents, sql.SQL(" and ").join(pairs))
            lines += _settle(connection, schema, tables, one, key, of_leaving)
        execute(connection, sql.SQL("drop table {}").format(parents))
    return lines


def _move(connection: Any, schema: str, table: Table, names: Sequence[str], condition: sql.Composable) -> int:
    child = identifiers.qualified(schema, table.name)
    aside = identifiers.qualified(schema, ORPHANS_PREFIX + table.name)
    # Migrations that come between one call and the next change the child's columns.
    execute(connection, sql.SQL("create table if not exists {} (row text)").format(aside))
    insert = sql.SQL("insert into {} select {} from {} t where {}")
    rows = execute(connection, insert.format(aside, row_name(names), child, condition))
    execute(connection, sql.SQL("delete from {} t where {}").format(child, condition))
    return rows
