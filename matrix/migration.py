"""Migrates a source's history to a new deployment of a version, by the path that `auto` takes, and keeps the results.

A source at Airflow 3 is a deployment to which 2.10.3 has been migrated, and that has versions of its DAGs since.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.fernet import Fernet
from psycopg2 import sql

import sources
from local.installations import airflow_installation, empty_airflow_database, mysql_driver
from local.installations.mariadb import MariaDBServer
from local.installations.postgres import PostgresServer
from migration.airflow import path
from sources import rows_by_sql
from sources.deployment import Deployment
from sources.other_deployment import with_rows_of

#: The 2.11 that a migration on the path through 2.11 imports at.
IMPORT_VERSION = "2.11.2"
#: The products, besides PostgreSQL, that a source's database can be in.
SQLITE, MARIADB = "SQLite", "MariaDB"
#: What a source at Airflow 3 has been before.
BEFORE_3 = "2.10.3"
#: The DAGs that have versions in a source at Airflow 3.
VERSIONED = "^(daily|outcomes|mapped|values)$"

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

#: Why a row is not in the target, where that is a fault.
LOST = "lost"
_NO_TABLE = "the target's Airflow has no such table"


class Hopped(NamedTuple):
    """`before` and `after` are what `kept_history` gives; `lost` counts rows by the reason, `changed` has lines."""

    before: dict[str, tuple[int, str]]
    after: dict[str, tuple[int, str]]
    lost: Counter[str]
    changed: list[str]
    seconds: float


@dataclass(frozen=True)
class Migrated:
    """
    Attributes:
        path: the versions, from the source's to the target's.
        exported: the engine's result, as are `imported` and `verified`.
        seconds: of the whole commands.
    """

    source: Deployment
    target: Deployment
    path: list[str]
    exported: dict[str, Any]
    imported: dict[str, Any]
    verified: dict[str, Any]
    seconds: dict[str, float]
    hopped: Hopped | None = None

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        tables: dict[str, dict[str, Any]] = self.imported["tables"]
        return tables

    def total(self, what: str) -> int:
        """The rows of all tables that were `exported`, `merged`, `kept` or `set_aside`."""
        return sum(int(table[what]) for table in self.tables.values())

    @property
    def changed(self) -> int:
        """The rows of which it is said that a value has changed; each line begins with their number."""
        lines = [*self.imported["changed_values"], *(self.hopped.changed if self.hopped else [])]
        return sum(int(line.split()[0].replace(",", "")) for line in lines)

    @property
    def set_aside(self) -> Counter[str]:
        """Rows by the reason for which the target does not have them, after the hop if there was one."""
        reasons: Counter[str] = Counter()
        for table in self.tables.values():
            reasons.update(table["set_aside_reasons"])
        return reasons + (self.hopped.lost if self.hopped else Counter())

    @property
    def arrived(self) -> int:
        """The rows that the target has, after the hop if there was one."""
        lost = self.hopped.lost.total() if self.hopped else 0
        return self.total("merged") + self.total("kept") - lost

    @property
    def is_equal(self) -> bool:
        hop = self.hopped is None or self.hopped.before == self.hopped.after
        return bool(hop and self.verified["verified"] and all(table["match"] for table in self.tables.values()))


@dataclass
class Migrations:
    """Migrations of sources that are made once each, on one server.

    A source is a version, or a version in another product's database, `2.10.3 in SQLite`, with the same rows.
    """

    server: PostgresServer
    directory: Path
    mariadb: MariaDBServer | None = None
    _sources: dict[str, Deployment] = field(default_factory=dict)
    _exports: dict[str, dict[str, Any]] = field(default_factory=dict)
    _imports: dict[tuple[str, str], Migrated] = field(default_factory=dict)

    def migrate(self, version: str, target: str) -> Migrated:
        """Exports the source, imports it into a new deployment, verifies that, and hops where the path asks for it."""
        _, at, *hops = path.of(_release(version), target, path.AUTO, IMPORT_VERSION)
        migrated = self._import_once(version, at)
        return hop(migrated, self._copy(migrated.target, hops[0]), hops[0]) if hops else migrated

    def source(self, version: str) -> Deployment:
        if version not in self._sources:
            self._sources[version] = self._make(version)
        return self._sources[version]

    def _make(self, version: str) -> Deployment:
        if _release(version) != version:
            return self._in_another_product(version)
        return self._source_of_3(version) if path.is_at_airflow_3(version) else self._filled_source(version)

    def _in_another_product(self, version: str) -> Deployment:
        name = _slug(version)
        folder = self.directory / name
        folder.mkdir()
        if version.endswith(SQLITE):
            return with_rows_of(self.source(_release(version)), f"sqlite:///{folder}/airflow.db", folder)
        assert self.mariadb is not None
        self.mariadb.create_database(name)
        return with_rows_of(self.source(_release(version)), self.mariadb.url(name), folder, mysql_driver.folder())

    def _filled_source(self, version: str) -> Deployment:
        made = sources.make_source(version, self.server, self.directory / f"source-{version}")
        return Deployment(made.installation, self.server, made.database, made.home, made.fernet_key)

    def _source_of_3(self, version: str) -> Deployment:
        source = self._copy(self._import_once(BEFORE_3, version).target, "source")
        source.execute(rows_by_sql.AIRFLOW_3, {"dags": VERSIONED, "version": "of the source"})
        return source

    def _import_once(self, version: str, at: str) -> Migrated:
        if (version, at) not in self._imports:
            self._imports[version, at] = self._import(version, at)
        return self._imports[version, at]

    def _import(self, version: str, at: str) -> Migrated:
        source, seconds = self.source(version), dict[str, float]()
        if version not in self._exports:
            with _timed(seconds, "export"):
                self._exports[version] = source.succeed(
                    "export", "--to", str(self.directory), "--id", "from-" + _slug(version).replace("_", "-")
                )
        exported = self._exports[version]
        target = self._new_target(version, at, source.home / "dags")
        with _timed(seconds, "import"):
            imported = target.succeed("import", "--from", exported["artifact"], "--pause-state", "source")
        with _timed(seconds, "verify"):
            verified = target.succeed("verify", "--from", exported["artifact"])
        return Migrated(source, target, [version, at], exported, imported, verified, seconds)

    def _new_target(self, source: str, at: str, dags: Path) -> Deployment:
        """Makes a new deployment of a version, with its own Fernet key and the given DAG files."""
        database = _slug(f"from_{source}_to_{at}")
        home = self.directory / database
        shutil.copytree(dags, home / "dags")
        installation = airflow_installation.install(at)
        key, options = Fernet.generate_key().decode(), _options(_release(source), at)
        target = Deployment(installation, self.server, database, home, key, options=options)
        empty_airflow_database.create(self.server, database, installation, target.environment())
        return target

    def _copy(self, deployment: Deployment, name: str) -> Deployment:
        database = f"{deployment.database}_{name}".replace(".", "_")
        self.server.create_database(database, deployment.database)
        return deployment.having(database=database)


def _release(source: str) -> str:
    """The version of a source, without the product that its database is in."""
    return source.split()[0]


def _slug(name: str) -> str:
    return name.replace(".", "_").replace(" ", "_").lower()


def _options(source: str, at: str) -> Mapping[str, str]:
    """What the migration sets in the target."""
    release = airflow_installation.install(source).release
    if path.is_at_airflow_3(at):
        return {}
    options = {}
    if release < (2, 3):
        # From 2.11.1 on Airflow looks for logs by the run's own template only with this option.
        options["core__use_historical_filename_templates"] = "True"
    if release < (2, 0):
        # 1.10 pickles XComs by default, and 2.x reads pickles only with this option.
        options["core__enable_xcom_pickling"] = "True"
    return options


def hop(migrated: Migrated, target: Deployment, version: str) -> Migrated:
    """Upgrades a copy of the target's database to Airflow 3 in place, as Amazon MWAA does."""
    installation = airflow_installation.install(version)
    prepared = target.succeed("prepare-hop", "--to-version", version)["changed_for_hop"]
    upgraded = target.having(installation=installation, home=target.home / version, options={})
    before, counts = kept_history(target), _counts(target)
    begun = time.monotonic()
    installation.migrate_database(upgraded.environment())
    seconds = round(time.monotonic() - begun, 1)
    hopped = Hopped(before, kept_history(upgraded), _lost(migrated, counts, _counts(upgraded)), prepared, seconds)
    return replace(
        migrated,
        target=upgraded,
        path=[*migrated.path, version],
        seconds={**migrated.seconds, "hop": seconds},
        hopped=hopped,
    )


def kept_history(deployment: Deployment) -> dict[str, tuple[int, str]]:
    """The number of rows and the checksum of what Airflow 3 keeps as it was, by table."""
    history = {}
    for table, columns in KEPT_BY_AIRFLOW_3.items():
        # Airflow 3 makes an empty text of a variable without a value.
        kept = [sql.SQL("coalesce(val, '')") if name == "val" else sql.Identifier(name) for name in columns]
        row = sql.SQL("row({})::text").format(sql.SQL(", ").join(kept))
        # XComs that Airflow 3 archives are counted by the reason; they are as they were, too.
        archive = f"_{table}_archive"
        places = [table, archive] if deployment.rows(f"select where to_regclass('{archive}') is not null") else [table]
        rows_of = [sql.SQL("select {} as line from {}").format(row, sql.Identifier(place)) for place in places]
        query = sql.SQL("select count(*), coalesce(sum(hashtextextended(line, 0)), 0)::text from ({}) kept")
        ((rows, checksum),) = deployment.rows(query.format(sql.SQL(" union all ").join(rows_of)))
        history[table] = (int(rows), str(checksum))
    return history


def _counts(deployment: Deployment) -> dict[int, tuple[str, int]]:
    """Name and rows of each table, by what it keeps when it is renamed."""
    tables = (
        "select oid::bigint, relname::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
    )
    count = sql.SQL("select count(*) from {}")
    return {oid: (name, deployment.value(count.format(sql.Identifier(name)))) for oid, name in deployment.rows(tables)}


def _lost(
    migrated: Migrated, before: Mapping[int, tuple[str, int]], after: Mapping[int, tuple[str, int]]
) -> Counter[str]:
    """The rows that were imported and that an upgrade has left nowhere but in an archive, by the reason."""
    lost: Counter[str] = Counter()
    archived = {name: rows for name, rows in after.values() if name.startswith("_")}
    for oid, (name, rows) in before.items():
        if name in migrated.tables and oid not in after:
            lost[_NO_TABLE] += rows
        elif name in migrated.tables and after[oid][1] < rows:
            reason = next((f"Airflow's migrations put it into {to}" for to in archived if name in to), LOST)
            lost[reason] += rows - after[oid][1]
    return lost


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - begun, 1)
