"""Names are data: whatever they look like, they are exported, stored and merged as they are."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import sql

from migration.airflow.cli import AirflowCli
from migration.airflow.endpoint import Answer
from sources.deployment import Deployment
from tests.hostile import names
from tests.integration.engine.conftest import TARGET

#: One row of each table for each name, which stands wherever people choose a name. `%(names)s` is an array.
ROWS = """
    create temporary table named on commit drop as
    select name, n, timestamptz '2026-01-01' + n * interval '1 hour' as at
      from unnest(%(names)s::text[]) with ordinality u(name, n);
    insert into dag (dag_id, is_paused, is_active, is_subdag, fileloc, owners, schedule_interval, max_active_tasks,
                     max_active_runs, max_consecutive_failed_dag_runs, has_task_concurrency_limits, has_import_errors)
    select name, n %% 2 = 0, true, false, name, name, '"@daily"', 16, 16, 0, false, false from named;
    insert into dag_run (dag_id, run_id, execution_date, state, run_type, conf, clear_number, external_trigger)
    select name, name, at, 'success', 'manual', convert_to(name, 'UTF8'), 0, true from named;
    insert into task_instance (dag_id, run_id, task_id, map_index, state, pool, pool_slots, operator, hostname)
    select name, name, name, -1, 'success', name, 1, name, name from named;
    insert into xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)
    select r.id, name, -1, name, name, name, convert_to(name, 'UTF8'), at from named
      join dag_run r on (r.dag_id, r.run_id) = (name, name);
    insert into variable (key, val, is_encrypted) select name, name, false from named;
    insert into connection (conn_id, conn_type, host, login, extra, is_encrypted, is_extra_encrypted)
    select name, 'http', name, name, name, false, false from named;
    insert into slot_pool (pool, slots, description, include_deferred) select name, n, name, false from named
"""
SEEN = """
    select 'dag', dag_id, fileloc, is_paused::text from dag
    union all select 'dag_run', dag_id, run_id, convert_from(conf, 'UTF8') from dag_run
    union all select 'task_instance', dag_id || run_id, task_id || pool, operator || hostname from task_instance
    union all select 'xcom', dag_id || run_id, task_id || key, convert_from(value, 'UTF8') from xcom
    union all select 'connection', conn_id, host, login from connection
    union all select 'variable', key, null, null from variable
    union all select 'slot_pool', pool, description, slots::text from slot_pool where pool <> 'default_pool'
    order by 1, 2, 3, 4
"""


@given(given_names=st.lists(names(), min_size=60, max_size=120, unique=True))
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
def test_names_arrive_as_they_were(
    new_deployment: Callable[..., Deployment], empty_target: Deployment, given_names: list[str]
) -> None:
    source, target = (new_deployment(TARGET, like=empty_target) for _ in range(2))
    try:
        source.execute(ROWS, {"names": given_names})
        with tempfile.TemporaryDirectory() as folder:
            source.succeed("export", "--to", folder, "--id", "whole")
            target.succeed("import", "--from", str(Path(folder) / "whole"), "--pause-state", "source")
        assert target.rows(SEEN) == source.rows(SEEN)
    finally:
        for deployment in (source, target):
            deployment.server.drop_database(deployment.database)


@given(
    given_names=st.lists(names(), min_size=8, max_size=8, unique=True), chosen=st.sets(st.integers(0, 7), min_size=1)
)
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
def test_a_selection_takes_the_dags_that_it_names(
    new_deployment: Callable[..., Deployment], empty_target: Deployment, given_names: list[str], chosen: set[int]
) -> None:
    wanted = {given_names[number] for number in chosen}
    source, target = (new_deployment(TARGET, like=empty_target) for _ in range(2))
    try:
        source.execute(ROWS, {"names": given_names})
        with tempfile.TemporaryDirectory() as folder:
            pattern = f"({'|'.join(re.escape(name) for name in sorted(wanted))})"
            source.succeed("export", "--to", folder, "--id", "some", f"--dags={pattern}")
            target.succeed("import", "--from", str(Path(folder) / "some"))
        assert {dag for (dag,) in target.rows("select dag_id from dag_run")} == wanted
    finally:
        for deployment in (source, target):
            deployment.server.drop_database(deployment.database)


@given(given_names=st.lists(names(), min_size=5, max_size=30, unique=True), data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
def test_one_command_unpauses_the_dags_that_it_names(
    empty_target: Deployment, given_names: list[str], data: st.DataObject
) -> None:
    """Airflow gives the pattern to PostgreSQL (`DagModel.dag_id.regexp_match`), whose syntax is not Python's."""
    wanted = data.draw(st.lists(st.sampled_from(given_names), min_size=1, unique=True))
    commands: list[tuple[str, ...]] = []

    def run(*command: str) -> Answer:
        commands.append(command)
        return Answer(True, "", "")

    AirflowCli(run, "2.11.2").set_paused(wanted, paused=False)
    found = empty_target.rows(
        "select name from unnest(%s::text[]) name where name ~ %s", (given_names, commands[0][-1])
    )
    assert sorted(name for (name,) in found) == sorted(wanted)


#: For whatever the owner of a database has named. PostgreSQL cuts names after 63 bytes.
IDENTIFIER = """a."b" 'c' %s %(d)s % {} {0}; -- \\é$$"""
#: As an owner may change a schema: another name for it, a column, an index, a table and a sequence of his own.
OWNED = """
    alter table log add column {name} text default 'x';
    create index {index} on log ({name});
    alter table log add constraint {check} check ({name} <> '');
    create table {name} ({name} int primary key);
    alter sequence log_id_seq rename to {sequence};
    alter database {database} set search_path to {name};
    alter schema public rename to {name}
"""
#: Constraints that Airflow's migrations know by name, so that nobody renames them before an upgrade.
RENAMED = """
    alter table dag_run rename constraint dag_run_pkey to {key};
    alter table dag_run rename constraint task_instance_log_template_id_fkey to {parent};
    alter table task_instance rename constraint task_instance_dag_run_fkey to {child}
"""
#: As many as are merged in bulk.
MANY_RUNS = """
    insert into dag_run (dag_id, run_id, execution_date, state, run_type, clear_number)
    select 'many', n::text, timestamptz '2026-01-01' + n * interval '1 hour', 'success', 'manual', 0
      from generate_series(1, 10000) n
"""
DEFINITIONS = """
    select pg_get_constraintdef(c.oid), c.conname, c.conrelid::regclass::text from pg_constraint c
     where c.connamespace = quote_ident(current_schema())::regnamespace
    union all select indexdef, indexname, tablename from pg_indexes where schemaname = current_schema() order by 1, 2, 3
"""


def own(deployment: Deployment, statements: str) -> None:
    names = {"name": "", "index": "i", "check": "c", "sequence": "s", "key": "k", "parent": "p", "child": "h"}
    identifiers = {key: sql.Identifier(IDENTIFIER + suffix) for key, suffix in names.items()}
    with deployment.cursor() as cursor:
        cursor.execute(sql.SQL(statements).format(database=sql.Identifier(deployment.database), **identifiers))


@pytest.mark.parametrize("old", [False, True], ids=["same revision", "upgraded"])
def test_identifiers_are_quoted_wherever_they_stand(
    old: bool, source: Deployment, old_source: Deployment, target: Deployment, tmp_path: Path,
    copy_of: Callable[[Deployment], Deployment],
) -> None:  # fmt: skip
    source = copy_of(old_source) if old else source
    if not old:
        source.execute(MANY_RUNS)
        for deployment in (source, target):
            own(deployment, RENAMED)
    for deployment in (source, target):
        own(deployment, OWNED)
    definitions = target.rows(DEFINITIONS)
    exported = source.succeed("export", "--to", str(tmp_path), "--days", "3650")
    assert exported["not_exported"][IDENTIFIER] == "not a table of this Airflow"
    target.succeed("import", "--from", str(tmp_path), "--pause-state", "source")
    assert target.succeed("verify", "--from", str(tmp_path))["verified"]
    assert target.value("select count(*) from dag_run") == source.value("select count(*) from dag_run")
    assert target.rows(DEFINITIONS) == definitions
