"""By SQL, what DAG runs do not leave: odd rows, rows without their run, and a row in each table that would be empty."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from typing import Any, NamedTuple

import psycopg2
from psycopg2 import sql

from sources.dags.contents import TEXTS

#: Users and sessions belong to an environment; what their tables hold decides who can log in.
NOT_FILLED = ("ab_", "session")

#: Before they had a run_id, their rows could outlive the run or the task instance they belong to.
WITHOUT_RUN = ("task_instance", "task_fail", "xcom", "rendered_task_instance_fields")


class Column(NamedTuple):
    name: str
    type: str
    nullable: bool
    has_default: bool
    length: int | None


def seed(dsn: str) -> None:
    """Adds the rows, in one transaction."""
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            _odd_rows(cursor)
            _rows_without_run(cursor)
            _fill_empty_tables(cursor)
    finally:
        connection.close()


def _odd_rows(cursor: psycopg2.extensions.cursor) -> None:
    cursor.execute(
        """
        UPDATE dag SET is_paused = true WHERE dag_id = 'paused_since';
        INSERT INTO variable (key, val, is_encrypted) VALUES ('in_clear', %(text)s, false), ('null', NULL, false);
        INSERT INTO log (dttm, event) VALUES (NULL, NULL), (now(), '');
        INSERT INTO log (dttm, dag_id, task_id, event, owner, extra)
            SELECT '2023-03-26 02:30:00+02', '', 'no such task', 'cli_' || key, key, value
            FROM json_each_text(%(texts)s);
        INSERT INTO sla_miss (task_id, dag_id, execution_date, email_sent, timestamp, description, notification_sent)
            VALUES ('load', 'daily', '2021-01-02 00:00:00+00', true, NULL, %(text)s, NULL);
        """,
        {"text": TEXTS["end_of_copy"], "texts": json.dumps(TEXTS)},
    )
    # Not in `values`, whose XComs are read with Airflow's API: it stumbles over these.
    returned = {"dag_id": "outcomes", "task_id": "succeeds", "key": "return_value"}
    _copy_row(cursor, "xcom", returned, {"key": "value_is_null", "value": None})
    _copy_row(cursor, "xcom", returned, {"key": "value_is_empty", "value": b""})
    if _columns(cursor, "dag_run_note"):
        cursor.execute(
            """
            INSERT INTO dag_run_note (dag_run_id, content, created_at, updated_at)
                SELECT id, %(run)s, now(), now() FROM dag_run WHERE dag_id IN ('outcomes', 'mapped');
            INSERT INTO task_instance_note (task_id, dag_id, run_id, map_index, content, created_at, updated_at)
                SELECT task_id, dag_id, run_id, map_index, %(task)s, now(), now()
                FROM task_instance WHERE dag_id IN ('outcomes', 'mapped') AND state <> 'failed';
            INSERT INTO ab_user (id, first_name, last_name, username, email)
                VALUES (4711, 'Änne', 'O''Hara', 'anne', 'anne@example.com');
            UPDATE dag_run_note SET user_id = 4711 WHERE dag_run_id = (SELECT min(dag_run_id) FROM dag_run_note);
            UPDATE task_instance_note SET user_id = 4711 WHERE task_id LIKE 'when%%';
            """,
            {"run": TEXTS["end_of_copy"], "task": TEXTS["quotes"]},
        )


def _rows_without_run(cursor: psycopg2.extensions.cursor) -> None:
    """Rows that Airflow's migrations set aside, where the source's schema allows such rows."""
    for table in WITHOUT_RUN:
        names = {column.name for column in _columns(cursor, table)}
        if "dag_id" in names and "run_id" not in names:
            _copy_row(cursor, table, {"dag_id": "outcomes"}, {"dag_id": "deleted long ago"})
    if all(column.nullable for column in _columns(cursor, "dag_run") if column.name == "run_id"):
        _copy_row(cursor, "dag_run", {"dag_id": "values"}, {"run_id": None, "execution_date": "2020-01-01 00:00:00+00"})


def _copy_row(
    cursor: psycopg2.extensions.cursor, table: str, like: Mapping[str, object], changed: Mapping[str, object]
) -> None:
    """Inserts a copy of one row, with other values in the changed columns and a new surrogate key."""
    columns = [column.name for column in _columns(cursor, table) if not (column.has_default and column.name == "id")]
    values = [sql.Placeholder(name) if name in changed else sql.Identifier(name) for name in columns]
    cursor.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} WHERE {} LIMIT 1").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(values),
            sql.Identifier(table),
            sql.SQL(" AND ").join(
                sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(f"like {name}")) for name in like
            ),
        ),
        {**changed, **{f"like {name}": value for name, value in like.items()}},
    )
    if cursor.rowcount != 1:
        raise LookupError(f"{table} has no row with {like} to copy")


def _fill_empty_tables(cursor: psycopg2.extensions.cursor) -> None:
    """A row in each empty table: parents first, so a table whose parent is still empty waits for the next round."""
    waiting = _empty_tables(cursor)
    while waiting:
        filled = [table for table in waiting if _insert_any(cursor, table)]
        if not filled:
            raise LookupError(f"no row could be made for {waiting}: the tables they refer to are empty")
        waiting = [table for table in waiting if table not in filled]


def _empty_tables(cursor: psycopg2.extensions.cursor) -> list[str]:
    cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
    tables = [row[0] for row in cursor.fetchall() if not row[0].startswith(NOT_FILLED)]
    empty = []
    for table in tables:
        cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table)))
        if not _one(cursor):
            empty.append(table)
    return empty


def _insert_any(cursor: psycopg2.extensions.cursor, table: str) -> bool:
    """Inserts a row with a value in every column. False if a table that it must refer to has no row yet."""
    row = {column.name: _any_value(column) for column in _columns(cursor, table) if not column.has_default}
    cursor.execute(
        """
        SELECT confrelid::regclass::text,
               (SELECT array_agg(attname ORDER BY n) FROM unnest(conkey) WITH ORDINALITY k (attnum, n)
                JOIN pg_attribute a ON a.attnum = k.attnum AND a.attrelid = conrelid)::text[],
               (SELECT array_agg(attname ORDER BY n) FROM unnest(confkey) WITH ORDINALITY k (attnum, n)
                JOIN pg_attribute a ON a.attnum = k.attnum AND a.attrelid = confrelid)::text[]
        FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass
        """,
        [f'public."{table}"'],
    )
    for parent, columns, parent_columns in cursor.fetchall():
        cursor.execute(
            sql.SQL("SELECT {} FROM {} LIMIT 1").format(
                sql.SQL(", ").join(map(sql.Identifier, parent_columns)), sql.Identifier(*parent.split("."))
            )
        )
        referred = cursor.fetchone()
        if referred is None:
            if parent.startswith(NOT_FILLED):
                row.update(dict.fromkeys(columns))
                continue
            return False
        row.update(zip(columns, referred, strict=True))
    cursor.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        ),
        [json.dumps(value) if isinstance(value, dict) else value for value in row.values()],
    )
    return True


def _any_value(column: Column) -> Any:
    match column.type:
        case "integer" | "bigint" | "smallint" | "double precision" | "numeric":
            return 1
        case "boolean":
            return True
        case "bytea":
            return pickle.dumps({"made by": "seed"}, protocol=2)
        case "json" | "jsonb":
            return {"made by": "seed"}
        case "uuid":
            return "01890a5d-ac96-774b-bcce-b302099a8057"
        case "timestamp with time zone" | "timestamp without time zone":
            return "2023-10-29 02:30:00.000001+01"
        case "date":
            return "2024-02-29"
        case "interval":
            return "1 day"
        case _:
            return "a 'seeded'\n\\.\nvalue"[: column.length]


def _columns(cursor: psycopg2.extensions.cursor, table: str) -> list[Column]:
    """A table's columns in their order; none if there is no such table."""
    cursor.execute(
        """
        SELECT column_name, data_type, is_nullable = 'YES', column_default IS NOT NULL, character_maximum_length
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position
        """,
        [table],
    )
    return [Column(*row) for row in cursor.fetchall()]


def _one(cursor: psycopg2.extensions.cursor) -> Any:
    row = cursor.fetchone()
    return None if row is None else row[0]
