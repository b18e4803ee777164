"""PostgreSQL's own ways to copy the same rows: COPY in both directions, pg_dump and pg_restore."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.databases import Databases
from bench.workload import TABLES


def copy_to_gzip(databases: Databases, source: str, file: Path) -> None:
    """`COPY ... TO STDOUT` of all tables, through `gzip -1` into one file.

    Raises:
        subprocess.CalledProcessError: one of the two programs failed.
    """
    command = databases.psql_command(source, *(f"copy {table} to stdout" for table in TABLES))
    with file.open("wb") as target, subprocess.Popen(command, stdout=subprocess.PIPE) as psql:
        subprocess.run(["gzip", "-1"], stdin=psql.stdout, stdout=target, check=True)
    if psql.returncode != 0:
        raise subprocess.CalledProcessError(psql.returncode, command)


def copy_to_files(databases: Databases, source: str, directory: Path) -> None:
    """COPY text of each table, uncompressed, for `copy_from_files`."""
    directory.mkdir(parents=True, exist_ok=True)
    databases.psql(source, *(f"\\copy {table} to '{directory / table}'" for table in TABLES))


def copy_from_files(databases: Databases, target: str, directory: Path) -> None:
    """`COPY ... FROM STDIN` into the tables as they are, with their indexes and constraints, parents first."""
    databases.psql(target, *(f"\\copy {table} from '{directory / table}'" for table in TABLES))


def dump(databases: Databases, source: str, file: Path) -> None:
    """The whole database in pg_dump's custom format, compressed like an artifact."""
    program = str(databases.server.program("pg_dump"))
    subprocess.run([program, "-Fc", "-Z1", f"--file={file}", databases.server.dsn(source)], check=True)


def restore(databases: Databases, target: str, file: Path) -> None:
    """Into a database without any table; indexes and constraints are made after the rows are in."""
    program = str(databases.server.program("pg_restore"))
    command = [program, "--jobs=2", "--no-owner", f"--dbname={databases.server.dsn(target)}", str(file)]
    subprocess.run(command, check=True)
