"""Whether a migration ended as it may: with everything in the target, or with the source as it was.

It reads the databases, the log groups, the buckets and the key, and trusts no report.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import psycopg2

from chaos.world import AIRFLOW_3, BUCKET, Before, World
from local.mwaa.environment import Environment
from local.rehearsal.inventory import rows_of_our_dags
from sources.environment_rows import AUDIT, PERMISSIONS, paused, rows

#: The columns by which people know a row; surrogate keys are none.
COLUMNS = {
    "dag_run": "dag_id, run_id, execution_date, state, run_type, conf, data_interval_start, data_interval_end",
    "task_instance": "dag_id, run_id, task_id, map_index, state, try_number, start_date, end_date, pool, operator",
    "task_fail": "dag_id, run_id, task_id, map_index, start_date, end_date",
    "xcom": "dag_id, run_id, task_id, map_index, key, value, timestamp",
    "log": "dttm, dag_id, task_id, map_index, event, run_id, owner, extra",
    "variable": "key, description",
    "connection": "conn_id, conn_type, host, login, port",
    "slot_pool": "pool, slots, description",
}
#: An XCom as Airflow 3 has it: of what is no JSON, bytes and nothing at all, the import leaves no value.
_VALUE_OF_2 = r"case when key not like E'bytes\t%%' then convert_from(value, 'UTF8')::jsonb end"
#: Where Airflow's migration to 3 changes a value, it is read so that it compares. It drops task_fail.
OF_2 = {
    **COLUMNS,
    "dag_run": "dag_id, run_id, execution_date, state, run_type, data_interval_start, data_interval_end",
    "xcom": f"dag_id, run_id, task_id, map_index, key, {_VALUE_OF_2}, timestamp",
}
OF_3 = {
    **OF_2,
    "dag_run": "dag_id, run_id, logical_date, state, run_type, data_interval_start, data_interval_end",
    "xcom": "dag_id, run_id, task_id, map_index, key, value::jsonb, timestamp",
}
del OF_2["task_fail"], OF_3["task_fail"]
OURS = "mwaa_migrator_%"


def observe(world: World, source: Environment) -> Before:
    return Before(source, rows(source), paused(source), world.logs(source.name))


def content(environment: Environment, tables: dict[str, str]) -> dict[str, Counter[str]]:
    """The given columns of each table's rows, without those of our own DAGs."""
    found: dict[str, Counter[str]] = {}
    with closing(psycopg2.connect(environment.database.dsn)) as connection, connection.cursor() as cursor:
        for table, columns in tables.items():
            ours = "where coalesce(dag_id, '') not like %s" if "dag_id" in columns else "where '' <> %s"
            # Airflow's CLI notes its own commands, `db migrate` too.
            ours += " and event not like 'cli%%'" if table == AUDIT else ""
            cursor.execute(f"select row({columns})::text from {table} {ours}", (OURS,))  # constants
            found[table] = Counter(text for (text,) in cursor.fetchall())
    return found


def broken_rules(world: World, was: Before, target: str, migration: str, *, succeeded: bool) -> list[str]:
    """Each rule that is broken, as a sentence."""
    ended = list(_succeeded(world, was, target) if succeeded else _failed(world, was, target))
    return [*ended, *_left(world, was, migration)]


def _succeeded(world: World, was: Before, target: str) -> Iterator[str]:
    there = world.aws.mwaa.environment(target)
    at_3 = there.settings["AirflowVersion"] == AIRFLOW_3
    wanted, found = content(was.environment, OF_2 if at_3 else COLUMNS), content(there, OF_3 if at_3 else COLUMNS)
    for table in wanted:
        lost, more = wanted[table] - found[table], found[table] - wanted[table]
        if lost:
            yield f"{table}: {lost.total()} rows are not in the target, {next(iter(lost))!r} among them"
        if more:
            yield f"{table}: {more.total()} rows are in the target only, {next(iter(more))!r} among them"
    active = {dag for dag, is_paused in paused(was.environment).items() if not is_paused}
    if active:
        yield f"the source's DAGs {sorted(active)} are active after the cut-over"
    for dag, is_paused in paused(there).items():
        if is_paused != was.paused.get(dag):
            yield f"{dag} is {'paused' if is_paused else 'active'} in the target and was not in the source"
    yield from _compare_logs(was.logs, world.logs(target))


def _failed(world: World, was: Before, target: str) -> Iterator[str]:
    now = rows(was.environment)
    for table, wanted in was.rows.items():
        if now[table] != wanted and table not in PERMISSIONS:
            lost, more = wanted - now[table], now[table] - wanted
            yield f"the source's {table} lost {lost.total()} and got {more.total()} rows: {[*lost, *more][:1]}"
    if paused(was.environment) != was.paused:
        changed = {dag for dag, state in paused(was.environment).items() if was.paused.get(dag) != state}
        yield f"the source's DAGs {sorted(changed)} are not paused or active as they were"
    yield from _compare_logs(was.logs, world.logs(was.environment.name))
    if target in world.aws.client("mwaa").list_environments()["Environments"]:
        there = world.aws.mwaa.environment(target)
        # One that was never created has no tables.
        active = {dag for dag, is_paused in paused(there).items() if not is_paused} if there.airflow else set()
        if active:
            yield f"the target's DAGs {sorted(active)} are active after a rollback"


def _compare_logs(wanted: dict[str, list[str]], found: dict[str, list[str]]) -> Iterator[str]:
    for stream, messages in wanted.items():
        lost = Counter(messages) - Counter(found.get(stream, []))
        more = Counter(found.get(stream, [])) - Counter(messages)
        if lost or more:
            yield f"{stream}: {lost.total()} log events lost, {more.total()} too many"


def _left(world: World, was: Before, migration: str) -> Iterator[str]:
    """What a migration should have taken back, however it ended."""
    s3 = world.aws.client("s3")
    name = was.environment.name
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{name}/dags/").get("Contents", [])]
    if ours := [key for key in keys if "mwaa_migrator" in key]:
        yield f"our files are in the source's DAG folder: {ours[:3]}"
    yield from rows_of_our_dags(was.environment)
    locks = s3.list_objects_v2(Bucket=world.exchange, Prefix="locks/").get("Contents", [])
    if held := [lock["Key"] for lock in locks if name in lock["Key"]]:
        yield f"the source is locked: {held}"
    policy = s3.get_bucket_policy(Bucket=world.exchange)["Policy"]
    if f"artifacts/{migration}" in policy:
        yield "the exchange bucket's policy still grants access to the artifact"
    key = world.aws.deployed.resources["Key"]
    grants = world.aws.client("kms").list_grants(KeyId=key)["Grants"]
    if open_ := [grant for grant in grants if migration in json.dumps(grant, default=str)]:
        yield f"the key has {len(open_)} grants for the migration"
