"""Migrates a source's history to a new 2.11 deployment and on to Airflow 3, and keeps what can be compared."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.fernet import Fernet
from psycopg2 import sql

import sources
from local.installations import airflow_installation, empty_airflow_database
from local.installations.postgres import PostgresServer
from sources import Source
from sources.deployment import Deployment

IMPORT_VERSION = "2.11.2"
NEWEST = "3.2.1"

#: The columns that Airflow 3 keeps as they were, by table. Left out are those that it renames or converts
#: (execution_date, dag_run.conf and run_type, xcom.value), surrogate keys, and the log, to which it adds a row.
KEPT_BY_AIRFLOW_3 = {
    "dag_run": ("dag_id", "run_id", "state", "start_date", "end_date"),
    "task_instance": (
        *("dag_id", "task_id", "run_id", "map_index", "state", "start_date", "end_date", "duration"),
        *("try_number", "operator", "hostname", "pool", "queue"),
    ),
    "xcom": ("dag_id", "task_id", "run_id", "map_index", "key"),
    "variable": ("key", "val", "is_encrypted"),
    "connection": ("conn_id", "conn_type", "host", "login", "password", "extra"),
    "slot_pool": ("pool", "slots", "description"),
}


class Migrated(NamedTuple):
    """`exported`, `imported` and `verified` are the engine's results; `seconds` are those of the whole commands."""

    source: Deployment
    target: Deployment
    exported: dict[str, Any]
    imported: dict[str, Any]
    verified: dict[str, Any]
    seconds: dict[str, float]

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        tables: dict[str, dict[str, Any]] = self.imported["tables"]
        return tables

    def total(self, what: str) -> int:
        """The rows of all tables that were `exported`, `merged`, `kept` or `set_aside`."""
        return sum(int(table[what]) for table in self.tables.values())


def new_target(
    server: PostgresServer, directory: Path, database: str, dags: Path, options: Mapping[str, str]
) -> Deployment:
    """Makes a new 2.11 deployment, with its own Fernet key and the given DAG files."""
    home = directory / database
    shutil.copytree(dags, home / "dags")
    installation = airflow_installation.install(IMPORT_VERSION)
    target = Deployment(installation, server, database, home, Fernet.generate_key().decode(), options=options)
    empty_airflow_database.create(server, database, installation, target.environment())
    return target


def make_source(version: str, server: PostgresServer, directory: Path) -> Source:
    return sources.make_source(version, server, directory / f"source-{version}")


def migrate(made: Source, server: PostgresServer, directory: Path) -> Migrated:
    """Exports the source, imports it into a new target, and verifies that."""
    version = made.version
    source = Deployment(made.installation, server, made.database, made.home, made.fernet_key)
    options = {}
    if made.installation.release < (2, 3):
        # From 2.11.1 on Airflow looks for logs by the run's own template only with this option.
        options["core__use_historical_filename_templates"] = "True"
    if made.installation.release < (2, 0):
        # 1.10 pickles XComs by default, and 2.x reads pickles only with this option.
        options["core__enable_xcom_pickling"] = "True"
    target = new_target(server, directory, "target_" + version.replace(".", "_"), made.home / "dags", options)
    seconds: dict[str, float] = {}
    with _timed(seconds, "export"):
        exported = source.succeed("export", "--to", str(directory), "--id", "from-" + version.replace(".", "-"))
    with _timed(seconds, "import"):
        imported = target.succeed("import", "--from", exported["artifact"], "--pause-state", "source")
    with _timed(seconds, "verify"):
        verified = target.succeed("verify", "--from", exported["artifact"])
    return Migrated(source, target, exported, imported, verified, seconds)


def kept_history(deployment: Deployment) -> dict[str, tuple[int, str]]:
    """The number of rows and the checksum of what Airflow 3 keeps as it was, by table."""
    history = {}
    for table, columns in KEPT_BY_AIRFLOW_3.items():
        # Airflow 3 makes an empty text of a variable without a value.
        kept = [sql.SQL("coalesce(val, '')") if name == "val" else sql.Identifier(name) for name in columns]
        row = sql.SQL("row({})::text").format(sql.SQL(", ").join(kept))
        query = sql.SQL("select count(*), coalesce(sum(hashtextextended({}, 0)), 0)::text from {}")
        ((rows, checksum),) = deployment.rows(query.format(row, sql.Identifier(table)))
        history[table] = (int(rows), str(checksum))
    return history


class Hopped(NamedTuple):
    """`before` and `after` are the rows and checksums of `kept_history`."""

    before: dict[str, tuple[int, str]]
    after: dict[str, tuple[int, str]]
    seconds: float


def hop(target: Deployment) -> Hopped:
    """Upgrades the target's database to Airflow 3 in place, as MWAA does."""
    installation = airflow_installation.install(NEWEST)
    target.succeed("prepare-hop", "--to-version", NEWEST)
    upgraded = target.having(installation=installation)
    before = kept_history(target)
    begun = time.monotonic()
    installation.migrate_database(upgraded.environment())
    return Hopped(before, kept_history(upgraded), time.monotonic() - begun)


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - begun, 1)
