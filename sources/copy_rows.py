"""Copies the rows of a metadata database in PostgreSQL into this Airflow's own, which another product keeps.

    <Airflow's python> copy_rows.py <psycopg2's DSN>

SQLAlchemy writes them with this Airflow's driver, as Airflow itself would. Text of JSON goes as it is, so that both
databases have the same.
"""

from __future__ import annotations

import sys

import psycopg2
import sqlalchemy
from airflow import settings

COLUMNS = """
    select c.relname, a.attname, format_type(a.atttypid, null)
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by 1, a.attnum
"""


def main():
    settings.configure_orm()
    metadata = sqlalchemy.MetaData()
    metadata.reflect(settings.engine)
    source = psycopg2.connect(sys.argv[1])
    with source.cursor() as cursor, settings.engine.begin() as target:
        cursor.execute("set timezone to 'UTC'")
        cursor.execute(COLUMNS)
        tables = {}
        for table, column, kind in cursor.fetchall():
            tables.setdefault(table, {})[column] = "::text" if kind in ("json", "jsonb", "uuid") else ""
        # Each table as it comes; SQLite takes this before the first row only.
        is_sqlite = settings.engine.dialect.name == "sqlite"
        target.execute(sqlalchemy.text("pragma foreign_keys = off" if is_sqlite else "set foreign_key_checks = 0"))
        for name, columns in tables.items():
            if name not in metadata.tables or name.startswith("alembic"):
                continue
            table = metadata.tables[name]
            for column in table.columns:
                if type(column.type).__name__ in ("TEXT", "BLOB", "MEDIUMTEXT") and not is_sqlite:
                    # PostgreSQL has no limit there, and what teams do who meet MySQL's is this.
                    kind = "longblob" if type(column.type).__name__ == "BLOB" else "longtext"
                    target.execute(sqlalchemy.text(f"alter table `{name}` modify `{column.name}` {kind}"))
                if "JSON" in type(column.type).__name__:
                    column.type = sqlalchemy.Text()
            target.execute(table.delete())
            selected = ['"{}"{}'.format(*column) for column in columns.items()]
            cursor.execute('select {} from "{}"'.format(", ".join(selected), name))
            for row in cursor:
                target.execute(table.insert(), {one: _plain(value) for one, value in zip(columns, row)})
    source.close()


def _plain(value):
    return bytes(value) if isinstance(value, memoryview) else value


main()
