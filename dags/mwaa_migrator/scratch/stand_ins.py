"""Stand-ins for constraints and indexes that Airflow's migrations drop by name and that the source does not have.

pgloader and others give them names of their own, and restores lose them. In the scratch schema nothing but the names is
needed of them: the rows come from the source as they are, and the target keeps its own constraints.
"""

from __future__ import annotations

import re
from typing import Dict

from psycopg2 import sql

from mwaa_migrator.airflow_schema.tables import REVISION_TABLE
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.read_tables import read_tables
from mwaa_migrator.postgres.session import execute
from mwaa_migrator.scratch.scratch_schema import ScratchSchema
from mwaa_migrator.this_airflow.migrations import names_in_migrations

_NO_CONSTRAINT = re.compile(r'constraint "([^"]+)" of relation "([^"]+)" does not exist')
_SECOND_KEY = re.compile(r'multiple primary keys for table "([^"]+)" are not allowed')
_NO_INDEX = re.compile(r'UndefinedObject\) index "([^"]+)" does not exist')
_IN_USE = "DependentObjectsStillExist"


def make_stand_in(scratch: ScratchSchema, failure: str) -> str | None:
    """Make what a migration failed without, commit, and return a line about it; None if that was not the reason."""
    constraint, index = _NO_CONSTRAINT.search(failure), _NO_INDEX.search(failure)
    tables = read_tables(scratch.connection, scratch.name)
    second = _SECOND_KEY.search(failure)
    table = _table(tables, (constraint and constraint.group(2)) or (second and second.group(1)) or "")
    line = None
    if constraint and table:
        _give_constraint(scratch, table, constraint.group(1))
        line = f"{table.name} has no constraint {constraint.group(1)}, which a migration drops: made one"
    elif second and table:
        # A migration that makes a key has dropped the old one by the name that PostgreSQL gives it, if there is one.
        _rename_primary_key(scratch, table, f"{table.name}_pkey")
        line = f"the primary key of {table.name} has another name than Airflow's: renamed it"
    elif index:
        statement = sql.SQL("create index {} on {} (version_num)")
        execute(scratch.connection, statement.format(sql.Identifier(index.group(1)), scratch.table(REVISION_TABLE)))
        line = f"there is no index {index.group(1)}, which a migration drops: made one"
    elif _IN_USE in failure:
        dropped = [key for table in tables.values() for key in _drop_renamed_references(scratch, table)]
        line = f"dropped what depends on a constraint that a migration drops: {', '.join(dropped)}" if dropped else None
    scratch.connection.commit()
    return line


def _table(tables: Dict[str, Table], name: str) -> Table | None:
    """The table that a migration calls so: 3.0's has renamed some before it failed, and that is rolled back."""
    return tables.get(name) or tables.get(name.replace("asset", "dataset"))


def _give_constraint(scratch: ScratchSchema, table: Table, name: str) -> None:
    """Rename the primary key if it is that; else let a check that is always true have the name."""
    if name.endswith("_pkey") or name.startswith("pk_"):
        _rename_primary_key(scratch, table, name)
        return
    # The one of another name would be in the way of what the migration does next.
    _drop_renamed_references(scratch, table)
    statement = sql.SQL("alter table {} add constraint {} check (true) not valid")
    execute(scratch.connection, statement.format(scratch.table(table.name), sql.Identifier(name)))


def _rename_primary_key(scratch: ScratchSchema, table: Table, name: str) -> None:
    statement = sql.SQL("alter table {} rename constraint {} to {}")
    for key in table.constraints:
        if key.kind == "p" and key.name != name:
            names = sql.Identifier(key.name), sql.Identifier(name)
            execute(scratch.connection, statement.format(scratch.table(table.name), *names))


def _drop_renamed_references(scratch: ScratchSchema, table: Table) -> list[str]:
    """Drop the table's foreign keys whose names no migration knows, and return them."""
    renamed = [key.name for key in table.foreign_keys if key.name not in names_in_migrations()]
    for name in renamed:
        statement = sql.SQL("alter table {} drop constraint {}")
        execute(scratch.connection, statement.format(scratch.table(table.name), sql.Identifier(name)))
    return renamed
