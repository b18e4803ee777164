"""Carries over what Airflow 3's migrations have archived: XComs that were pickled, which Airflow 3 does not read.

An upgrade in place leaves them in a table beside Airflow's own, and a downgrade to 2.11 puts them back.
"""

from __future__ import annotations

from psycopg2 import sql

from mwaa_migrator.airflow_schema.tables import ARCHIVES, RUN_TABLE
from mwaa_migrator.postgres import identifiers
from mwaa_migrator.postgres.session import execute, fetch_value
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact


def carry_archives(upgraded: UpgradedArtifact) -> int:
    """Insert the rows of each archive whose run is in the target and that it does not have; returns how many."""
    carried = 0
    for name in sorted(set(ARCHIVES) & set(upgraded.scratch_tables)):
        if not upgraded.rows[name]:
            continue
        target, columns = upgraded.target.table(name), upgraded.scratch_tables[name].column_names
        if name not in upgraded.target_tables:
            _make(upgraded, name)
        values = [
            identifiers.column("r", "id") if column == "dag_run_id" else identifiers.column("s", column)
            for column in columns
        ]
        carried += execute(
            upgraded.connection,
            sql.SQL(
                "insert into {} ({}) select {} from {} s join {} r on (r.dag_id, r.run_id) = (s.dag_id, s.run_id) "
                "on conflict do nothing"
            ).format(
                target,
                identifiers.columns(columns),
                sql.SQL(", ").join(values),
                upgraded.scratch.table(name),
                upgraded.target.table(RUN_TABLE),
            ),
        )
    return carried


def _make(upgraded: UpgradedArtifact, name: str) -> None:
    """Make the archive as Airflow's migration has, for the owner of Airflow's tables, who may migrate again."""
    target, source = upgraded.target.table(name), upgraded.scratch.table(name)
    execute(upgraded.connection, sql.SQL("create table {} (like {} including all)").format(target, source))
    owner = fetch_value(
        upgraded.connection,
        "select pg_get_userbyid(relowner)::text from pg_catalog.pg_class where oid = %s::regclass",
        (upgraded.target.table(RUN_TABLE).as_string(upgraded.connection),),
    )
    if owner != fetch_value(upgraded.connection, "select current_user::text"):
        execute(upgraded.connection, sql.SQL("alter table {} owner to {}").format(target, sql.Identifier(owner)))
