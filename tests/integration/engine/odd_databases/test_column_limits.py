"""What is known of the target's columns is what the releases' own migrations make."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mwaa_migrator.airflow_schema.column_limits import (
    ALWAYS_TRUE,
    FRACTION,
    INTEGER,
    MOST_CHARACTERS,
    NEVER_NULL,
    TIME,
    TRUTH,
    UNIQUE,
    WITHOUT_LIMIT_SINCE,
    held,
)
from mwaa_migrator.airflow_schema.tables import reason_not_exported

from sources.deployment import Deployment

COLUMNS = """
    select c.relname, a.attname, a.atttypid::regtype::text, nullif(a.atttypmod, -1) - 4, a.attnotnull
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
"""

UNIQUE_KEYS = """
    select c.relname::text, array(select a.attname::text from pg_attribute a
                                   where a.attrelid = c.oid and a.attnum = any(x.indkey) order by 1)
      from pg_index x join pg_class c on c.oid = x.indrelid
     where c.relnamespace = 'public'::regnamespace and x.indisunique and x.indpred is null
"""


@pytest.mark.parametrize("version", ["2.10.3", "2.11.2", "3.2.1"])
def test_limits(version: str, empty_airflow: Callable[[str, str], Deployment]) -> None:
    airflow = empty_airflow(version, "newest")
    columns = {(table, name): rest for table, name, *rest in airflow.rows(COLUMNS)}
    known = {(table, name): most for table, limits in MOST_CHARACTERS.items() for name, most in limits.items()}
    without_limit = {column for column, since in WITHOUT_LIMIT_SINCE.items() if version >= since}
    assert {column: columns[column][1] for column in known if column in columns and column not in without_limit} == {
        column: most for column, most in known.items() if column in columns and column not in without_limit
    }
    assert {columns[column][0] for column in without_limit} <= {"text"}
    never = [(table, name) for table, names in NEVER_NULL.items() for name in names]
    assert [column for column in never if column in columns and not columns[column][2]] == []
    assert [column for column, (kind, *_) in columns.items() if kind == "bigint" and column[0] in MOST_CHARACTERS] == []
    unique = airflow.rows(UNIQUE_KEYS)
    wanted = [(table, sorted(key)) for table, keys in UNIQUE.items() for key in keys if (table, "id") in columns]
    assert [key for key in wanted if key not in unique] == []
    for table, condition in ALWAYS_TRUE.items():
        query = "select pg_get_constraintdef(oid) from pg_constraint where contype = 'c' and conrelid = %s::regclass"
        assert airflow.rows(query, (table,)) == [(f"CHECK (({condition.replace('t.', '')}))",)]


def test_no_column_is_forgotten(empty_airflow: Callable[[str, str], Deployment]) -> None:
    """Of the tables that go, in the release through which the older ones go."""
    limited = {
        (table, name)
        for table, name, kind, most, _ in empty_airflow("2.11.2", "newest").rows(COLUMNS)
        if kind == "character varying" and most and reason_not_exported(table) is None
    }
    known = {(table, name) for table, limits in MOST_CHARACTERS.items() for name in limits}
    assert sorted(limited - known) == []


@pytest.mark.parametrize("version", ["1.10.12", "2.0.2", "2.4.3", "2.7.2", "2.11.2"])
def test_what_columns_hold_that_are_no_text(version: str, empty_airflow: Callable[[str, str], Deployment]) -> None:
    names = {
        "integer": INTEGER,
        "double precision": FRACTION,
        "boolean": TRUTH,
        "timestamp with time zone": TIME,
        "timestamp without time zone": TIME,
    }
    found = {
        (table, name): names.get(kind)
        for table, name, kind, *_ in empty_airflow(version, "newest").rows(COLUMNS)
        if table in MOST_CHARACTERS and reason_not_exported(table) is None and table != "dag" and name != "user_id"
    }
    assert {column: held(*column) for column in found} == found
