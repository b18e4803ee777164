"""Stand-ins for constraints and indexes that Airflow's migrations drop by name and that the source does not have.

pgloader and others give them names of their own, and restores lose them. In the scratch schema nothing but the names is
needed of them: the rows come from the source as they are, and the target keeps its own constraints.
"""

from __future__ import annotations

import re

from psycopg2 import sql

from mwaa_migrator.airflow_schema.tables import REVISION_TABLE
from mwaa_migrator.postgres.catalog import Table, read_tables
from mwaa_migrator.postgres.session import execute
from mwaa_migrator.scratch.scratch_schema import ScratchSchema
from mwaa_migrator.this_airflow.migrations import names_in_migrations

_NO_CONSTRAINT = re.compile(r'constraint "([^"]+)" of relation "([^"]+)" does not exist')
_NO_INDEX = re.compile(r'UndefinedObject\) index "([^"]+)" does not exist')
_IN_USE = "DependentObjectsStillExist"


def make_stand_in(scratch: ScratchSchema, failure: str) -> str | None:
    """Make what a migration failed without, commit, and return a line about it; None if that was not the reason."""
    constraint, index = _NO_CONSTRAINT.search(failure), _NO_INDEX.search(failure)
    tables = read_tables(scratch.connection, scratch.name)
    line = None
    if constraint and constraint.group(2) in tables:
        _give_constraint(scratch, tables[constraint.group(2)], constraint.group(1))
        line = f"{constraint.group(2)} has no constraint {constraint.group(1)}, which a migration drops: made one"
    elif index:
        statement = sql.SQL("create index {} on {} (version_num)")
        execute(scratch.connection, statement.format(sql.Identifier(index.group(1)), scratch.table(REVISION_TABLE)))
        line = f"there is no index {index.group(1)}, which a migration drops: made one"
    elif _IN_USE in failure:
        dropped = [key for table in tables.values() for key in _drop_renamed_references(scratch, table)]
        line = f"dropped what depends on a constraint that a migration drops: {', '.join(dropped)}" if dropped else None
    scratch.connection.commit()
    return line


def _give_constraint(scratch: ScratchSchema, table: Table, name: str) -> None:
    """Rename the primary key if it is that; else let a check that is always true have the name."""
    place = scratch.table(table.name)
    for key in table.constraints:
        if key.kind == "p" and (name.endswith("_pkey") or name.startswith("pk_")):
            statement = sql.SQL("alter table {} rename constraint {} to {}")
            execute(scratch.connection, statement.format(place, sql.Identifier(key.name), sql.Identifier(name)))
            return
    # The one of another name would be in the way of what the migration does next.
    _drop_renamed_references(scratch, table)
    statement = sql.SQL("alter table {} add constraint {} check (true) not valid")
    execute(scratch.connection, statement.format(place, sql.Identifier(name)))


def _drop_renamed_references(scratch: ScratchSchema, table: Table) -> list[str]:
    """Drop the table's foreign keys whose names no migration knows, and return them."""
    renamed = [key.name for key in table.foreign_keys if key.name not in names_in_migrations()]
    for name in renamed:
        statement = sql.SQL("alter table {} drop constraint {}")
        execute(scratch.connection, statement.format(scratch.table(table.name), sql.Identifier(name)))
    return renamed
