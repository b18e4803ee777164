"""`sqoop import` of a whole table from PostgreSQL into text files, which is all that definitions here ask of Sqoop.

A stand-in: Sqoop is in no package index. Options that it does not know it refuses.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("sqoop import", allow_abbrev=False)
    for option in ("--connect", "--username", "--table"):
        parser.add_argument(option, required=True)
    parser.add_argument("--password")
    parser.add_argument("--fields-terminated-by", default=",")
    if arguments[:1] != ["import"]:
        parser.error("only `sqoop import` is carried out here")
    asked = parser.parse_args(arguments[1:])
    # Where no --target-dir is given: a directory of the table's name in HDFS, below the user's home.
    target = Path.home() / "hdfs" / asked.table
    if target.exists():
        parser.error(f"Output directory {target} already exists")
    rows = _rows(asked)
    target.mkdir(parents=True)
    lines = [asked.fields_terminated_by.join(_text(value) for value in row) for row in rows]
    (target / "part-m-00000").write_text("".join(f"{line}\n" for line in lines))
    return 0


def _rows(asked: argparse.Namespace) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(
        asked.connect.removeprefix("jdbc:"), user=asked.username, password=asked.password, connect_timeout=10
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(asked.table)))
            return cursor.fetchall()
    finally:
        connection.close()


def _text(value: Any) -> str:
    return "null" if value is None else str(value)


sys.exit(main(sys.argv[1:]))
