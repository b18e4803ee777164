"""A migration that was cut over and is taken back by hand: the source is as it was, row by row."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from local import demo_source
from local.aws import LocalAws
from local.mwaa.environment import Environment

OURS = "mwaa_migrator_%"
# What a running Airflow writes by itself all the time, whether somebody migrates it or not.
ALIVE = {
    "dag": {"last_parsed_time", "last_pickled", "last_expired", "next_dagrun", "next_dagrun_data_interval_start"}
    | {"next_dagrun_data_interval_end", "next_dagrun_create_after", "processor_subdir", "has_task_concurrency_limits"},
    "job": {"latest_heartbeat", "end_date", "state"},
    "serialized_dag": {"last_updated", "data", "data_compressed", "dag_hash", "processor_subdir"},
    "dag_code": {"last_updated"},
    "dag_run": {"last_scheduling_decision"},
}
# The audit log keeps what was done with our DAGs, as it does for every DAG.
AUDIT = "log"
# Airflow makes permissions when it parses a DAG, and keeps them when that is deleted, as any other DAG's.
PERMISSIONS = ("ab_permission", "ab_permission_view", "ab_permission_view_role", "ab_role", "ab_view_menu")


def rows(environment: Environment) -> dict[str, Counter[str]]:
    """Every row of every table as text, without what is written all the time."""
    found: dict[str, Counter[str]] = {}
    with psycopg2.connect(environment.database.dsn) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select table_name, array_agg(column_name::text order by ordinal_position) from information_schema.columns "
            "where table_schema = 'public' group by 1"
        )
        for table, columns in cursor.fetchall():
            kept = [sql.Identifier(name) for name in columns if name not in ALIVE.get(table, ())]
            query = sql.SQL("select row({})::text from {}").format(sql.SQL(", ").join(kept), sql.Identifier(table))
            if table == AUDIT:
                query += sql.SQL(" where dag_id not like {} and event not like 'cli_%'").format(sql.Literal(OURS))
            cursor.execute(query)
            found[table] = Counter(text for (text,) in cursor.fetchall())
    return found


def paused(environment: Environment) -> dict[str, bool]:
    with psycopg2.connect(environment.database.dsn) as connection, connection.cursor() as cursor:
        cursor.execute("select dag_id, is_paused from dag where is_active")
        return dict(cursor.fetchall())


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as started:
        started.deploy()
        yield started


def execute(aws: LocalAws, document: dict[str, Any]) -> dict[str, Any]:
    client = aws.client("stepfunctions")
    execution = client.start_execution(
        stateMachineArn=aws.deployed.state_machines["MigrateStateMachine"], input=json.dumps(document)
    )["executionArn"]
    while (ended := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(0.5)
    assert ended["status"] == "SUCCEEDED", ended
    output: dict[str, Any] = json.loads(ended["output"])
    return output


@pytest.mark.timeout(900)
def test_a_roll_back_by_hand_leaves_the_source_as_it_was(aws: LocalAws) -> None:
    source = demo_source.make(aws, "prod-2-10", "2.10.3", None, None, print)
    before, active = rows(source), paused(source)
    assert set(active.values()) == {True, False}

    options = {"pollSeconds": 1, "artifact": "delete"}
    migrated = execute(
        aws,
        {
            "source": {"environment": "prod-2-10"},
            "target": {"environment": "prod-2-11", "airflowVersion": "2.11.2"},
            "options": options,
        },
    )
    target = aws.mwaa.environment("prod-2-11")
    assert set(paused(source).values()) == {True}
    assert paused(target) == active
    assert rows(source)["dag_run"] == before["dag_run"], "our DAGs' runs are gone, and no other"

    for _ in range(2):  # rolling back twice is harmless
        execute(aws, {"mode": "rollback", "migrationId": migrated["migrationId"], "options": options})
        assert paused(source) == active
        assert set(paused(target).values()) == {True}
        after = rows(source)
        differing = {table: (before[table] - after[table], after[table] - before[table]) for table in before}
        found = {table: rows for table, rows in differing.items() if rows != (Counter(), Counter())}
        assert {table: rows for table, rows in found.items() if table not in PERMISSIONS} == {}

    s3, exchange = aws.client("s3"), aws.deployed.resources["ExchangeBucket"]
    bucket = source.settings["SourceBucketArn"].split(":")[-1]
    names = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert [name for name in names if "mwaa_migrator" in name] == []
    left = [item["Key"] for item in s3.list_objects_v2(Bucket=exchange)["Contents"]]
    assert [name for name in left if "/tables/" in name or name.startswith("locks/")] == []
    assert any(name.endswith("/roll_back_report.json") for name in left)
    denied = [call for call in aws.endpoint.record.calls() if call.decision != "allowed"]
    assert denied == []
