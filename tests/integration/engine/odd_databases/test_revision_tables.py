"""What is known of each revision's tables, columns and references is what the releases' own migrations make."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest
from mwaa_migrator.airflow_schema.primary_keys import usual_key
from mwaa_migrator.airflow_schema.references import DECLARED_REFERENCES, Reference
from mwaa_migrator.airflow_schema.revision_tables import _RELEASES, revision_tables
from mwaa_migrator.airflow_schema.tables import FILLS_ITSELF_PREFIXES, reason_not_exported
from mwaa_migrator.other_databases.postgres_schema import tables_at
from mwaa_migrator.postgres.read_tables import read_tables

from local.installations import airflow_installation
from sources.deployment import Deployment

#: Of Alembic, Flask and FAB.
OTHERS = ("alembic_version", "session", *FILLS_ITSELF_PREFIXES)

TABLES = "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
APPLIED = """
import json
from mwaa_migrator.this_airflow.migrations import applied_revisions
print(json.dumps(sorted(applied_revisions("{}"))))
"""

COLUMNS = """
    select c.relname::text, a.attname::text
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
"""
KNOWN_COLUMNS = """
import json
from mwaa_migrator.this_airflow.migrations import columns_in_migrations
print(json.dumps({{table: sorted(columns_in_migrations(table)) for table in {}}}))
"""
#: Foreign keys of one column that is a number.
REFERENCES = """
    select c.relname::text, a.attname::text, p.relname::text
      from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_class p on p.oid = k.confrelid
      join pg_attribute a on a.attrelid = c.oid and a.attnum = k.conkey[1]
     where k.contype = 'f' and cardinality(k.conkey) = 1 and a.atttypid = 'integer'::regtype
"""


@pytest.mark.parametrize("version", airflow_installation.versions())
def test_tables(version: str, empty_airflow: Callable[[str, str], Deployment]) -> None:
    airflow = empty_airflow(version, "newest")
    there = {name for (name,) in airflow.rows(TABLES) if not name.startswith(OTHERS)}
    revision = airflow.value("select version_num from alembic_version")
    known = revision_tables(revision, airflow.python(APPLIED.format(revision)))
    assert known.there == there
    assert not known.gone & there


@pytest.mark.parametrize("version", airflow_installation.versions())
def test_tables_for_other_databases(version: str, empty_airflow: Callable[[str, str], Deployment]) -> None:
    """`python -m tools.postgres_schemas` makes them again."""
    airflow = empty_airflow(version, "newest")
    with closing(psycopg2.connect(airflow.dsn)) as connection:
        made = read_tables(connection, "public")
    assert tables_at(airflow.value("select version_num from alembic_version")) == made


@pytest.mark.parametrize("version", airflow_installation.versions())
def test_primary_keys(version: str, empty_airflow: Callable[[str, str], Deployment]) -> None:
    with closing(psycopg2.connect(empty_airflow(version, "newest").dsn)) as connection:
        tables = read_tables(connection, "public").values()
    ours = [table for table in tables if reason_not_exported(table.name) is None and not table.name.startswith(OTHERS)]
    assert {t.name: sorted(usual_key(t)) for t in ours} == {t.name: sorted(t.primary_key) for t in ours}


@pytest.mark.parametrize("version", [one for one in airflow_installation.versions() if one < "3"])
def test_columns(version: str, empty_airflow: Callable[[str, str], Deployment]) -> None:
    """What no migration gives a table, somebody has added."""
    airflow = empty_airflow(version, "newest")
    there = [
        (table, column)
        for table, column in airflow.rows(COLUMNS)
        if reason_not_exported(table) is None and not table.startswith(OTHERS)
    ]
    known = airflow.python(KNOWN_COLUMNS.format(sorted({table for table, _ in there})))
    assert [(table, column) for table, column in there if column not in known[table]] == []


@pytest.mark.parametrize("version", airflow_installation.versions())
def test_declared_references(version: str, empty_airflow: Callable[[str, str], Deployment]) -> None:
    found = {
        reference
        for reference in (Reference(*row) for row in empty_airflow(version, "newest").rows(REFERENCES))
        if not any(reason_not_exported(table) for table in (reference.table, reference.parent))
    }
    assert found - set(DECLARED_REFERENCES) == set()


def test_before_and_between_releases() -> None:
    assert revision_tables("of 1.10.0", ["of 1.10.0"]).there == frozenset()
    between = revision_tables("of 2.0.0", [_RELEASES[0].revision, "of 2.0.0"])
    assert "xcom" in between.there
    assert not {"chart", "sensor_instance"} & between.there
