from __future__ import annotations

import gzip
import json
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest
import requests
from moto.server import ThreadedMotoServer
from mwaa_migrator.postgres.session import fetch_value, keep_alive

from bench import memory
from sources.deployment import Deployment, outcome
from tests.integration.engine.commands import eventually, stopped, wait_for_phase


def test_tables_that_no_airflow_has_are_named(source: Deployment, target: Deployment, tmp_path: Path) -> None:
    source.execute(
        """
        create table orders (id serial primary key, run_id varchar references variable(key));
        create table _airflow_moved__2_2__dangling__task_instance (task_id varchar);
        create view runs as select * from dag_run;
        create schema elsewhere; create table elsewhere.dag_run (id int);
        """
    )
    exported = source.succeed("export", "--to", str(tmp_path), "--tables", "variable,dag_run")
    assert exported["not_exported"]["orders"] == "not a table of this Airflow"
    assert "set aside" in exported["not_exported"]["_airflow_moved__2_2__dangling__task_instance"]
    assert exported["not_exported"]["serialized_dag"]
    assert exported["not_exported"]["log"] == "left out as asked"
    assert exported["tables"]["dag_run"]["rows"] == 200
    target.succeed("import", "--from", str(tmp_path))


@pytest.mark.parametrize("type_", ["create type mood as enum ('sad', 'ok')", "create domain mood as text"])
def test_a_type_that_is_not_postgresqls_is_refused(type_: str, source: Deployment, tmp_path: Path) -> None:
    source.execute(
        f"{type_}; alter table log alter column owner type mood using null, alter column extra type mood[] using null"
    )
    refused = source.run("export", "--to", str(tmp_path))
    assert (refused.code, refused.error) == (3, "ColumnTypeUnknown")
    assert "log.extra (mood[]), log.owner (mood)" in refused.message
    assert list(tmp_path.rglob("*.json")) == []


def test_a_column_that_the_target_does_not_have_is_no_silent_loss(
    source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    source.execute("alter table dag_run add column team text; update dag_run set team = 'a'")
    assert source.succeed("export", "--to", str(tmp_path))["columns_left_out"] == ["dag_run.team"]
    target.execute("alter table dag_run add column team text not null")
    before = target.content()
    failed = target.run("import", "--from", str(tmp_path))
    assert (failed.code, failed.error) == (4, "UpgradeFailed")
    assert "dag_run.team" in failed.message
    assert target.content() == before


def test_a_second_export_of_an_id_is_refused(filled_source: Deployment, artifact: Path) -> None:
    before = (artifact / "manifest.json").read_bytes()
    refused = filled_source.run("export", "--to", str(artifact.parent), "--id", artifact.name)
    assert (refused.code, refused.error) == (3, "ArtifactExists")
    assert (artifact / "manifest.json").read_bytes() == before


def test_what_was_unfinished_is_counted_and_listed(filled_source: Deployment, artifact: Path) -> None:
    unfinished = json.loads((artifact / "manifest.json").read_text())["unfinished"]
    assert (unfinished["dag_runs"], unfinished["task_instances"]) == (10, 50)
    assert {"dag_id": "source_dag_1", "run_id": "standard__1_20", "state": "running"} in unfinished["listed"][
        "dag_runs"
    ]
    waiting = [task for task in unfinished["listed"]["task_instances"] if task["state"] == "deferred"]
    assert len(waiting) == 10


def test_an_export_is_of_one_instant(source: Deployment, target: Deployment, tmp_path: Path) -> None:
    """While somebody adds runs with their task instances and XComs, each in one transaction."""
    end = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        with closing(psycopg2.connect(source.dsn)) as connection, connection.cursor() as cursor:
            while not end.is_set():
                cursor.execute(
                    """
                    with run as (insert into dag_run (dag_id, run_id, execution_date, state, run_type, clear_number)
                      values ('writer', 'run ' || %(n)s, now(), 'success', 'manual', 0) returning id)
                    select id from run;
                    """,
                    {"n": written},
                )
                (run,) = cursor.fetchone() or (None,)
                cursor.execute(
                    """
                    insert into task_instance (dag_id, run_id, task_id, pool, pool_slots)
                      values ('writer', 'run ' || %(n)s, 'task', 'default_pool', 1);
                    insert into xcom (dag_run_id, dag_id, run_id, task_id, key, timestamp)
                      values (%(run)s, 'writer', 'run ' || %(n)s, 'task', 'key', now());
                    """,
                    {"n": written, "run": run},
                )
                connection.commit()
                written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        eventually(lambda: written > 10)
        process = source.start("export", "--to", str(tmp_path), "--id", "x", "--jobs", "3")
        wait_for_phase(process, "export")
        at_the_start = written
        assert outcome(process).code == 0
    finally:
        end.set()
        writer.join()
    counts = {table: rows_of(tmp_path / "x", table, b"writer") for table in ("dag_run", "task_instance", "xcom")}
    assert len(set(counts.values())) == 1
    assert 0 < counts["xcom"] < written
    assert at_the_start < written
    assert target.succeed("import", "--from", str(tmp_path))["tables"]["xcom"]["set_aside"] == 0


def rows_of(artifact: Path, table: str, having: bytes) -> int:
    parts = (artifact / "tables" / table).glob("*.copy.gz")
    return sum(having in line for part in parts for line in gzip.decompress(part.read_bytes()).splitlines())


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an S3 that the engine's commands talk to as well, with an empty bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="exchange")
    yield client
    requests.post(f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth", data=b"inf", timeout=10)
    requests.post(f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset", timeout=10)
    server.stop()


def test_through_s3(s3: Any, filled_source: Deployment, target: Deployment) -> None:
    exported = filled_source.succeed("export", "--to", "s3://exchange/some/prefix", "--id", "x")
    assert exported["artifact"] == "s3://exchange/some/prefix/x"
    assert target.succeed("import", "--from", "s3://exchange/some/prefix")["tables"]["xcom"]["merged"] == 800
    key = "some/prefix/x/tables/xcom/0000-0000.copy.gz"
    content = s3.get_object(Bucket="exchange", Key=key)["Body"].read()
    s3.put_object(Bucket="exchange", Key=key, Body=content[:-1])
    refused = target.run("verify", "--from", "s3://exchange/some/prefix/x")
    assert (refused.code, refused.error) == (3, "ArtifactDamaged")


def test_a_bucket_that_may_only_be_read(s3: Any, filled_source: Deployment) -> None:
    iam = boto3.client("iam")
    iam.create_user(UserName="reader")
    reading = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [reading]})
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    requests.post(f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
    reader = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    refused = filled_source.run("export", "--to", "s3://exchange/prefix", environment=reader)
    assert (refused.code, refused.error) == (3, "MissingRight")
    assert "PutObject" in refused.message
    requests.post(f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth", data=b"inf", timeout=10)
    assert s3.list_objects_v2(Bucket="exchange")["KeyCount"] == 0


def test_a_bucket_that_goes_away_in_the_middle(s3: Any, source: Deployment) -> None:
    source.execute(
        "update xcom set value = (select string_agg(sha512(n::text::bytea), '') from generate_series(1, 1000) n)"
    )
    process = source.start("export", "--to", "s3://exchange/prefix")
    wait_for_phase(process, "export")
    with stopped(process):
        for entry in s3.list_objects_v2(Bucket="exchange").get("Contents", []):
            s3.delete_object(Bucket="exchange", Key=entry["Key"])
        s3.delete_bucket(Bucket="exchange")
    failed = outcome(process)
    assert (failed.code, failed.error) == (4, "ExportFailed")
    assert "NoSuchBucket" in failed.message
    assert "Traceback" not in failed.stderr


def test_a_database_that_goes_away_in_the_middle(source: Deployment, tmp_path: Path) -> None:
    process = source.start("export", "--to", str(tmp_path))
    wait_for_phase(process, "export")
    with stopped(process):
        source.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
    failed = outcome(process)
    assert failed.code == 4
    assert failed.error == "DatabaseFailed"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_part_that_is_damaged_after_the_check(target: Deployment, broken: Path) -> None:
    before = target.content()
    process = target.start("import", "--from", str(broken), "--jobs", "1")
    wait_for_phase(process, "restore")
    with stopped(process):
        part = broken / "tables" / "xcom" / "0000-0000.copy.gz"
        part.write_bytes(part.read_bytes()[:-9])
    failed = outcome(process)
    assert (failed.code, failed.error) == (3, "ArtifactDamaged")
    assert target.content() == before
    assert target.scratch_schemas() == []


def test_values_of_50_mb(source: Deployment, target: Deployment, tmp_path: Path) -> None:
    source.execute(
        """
        update xcom set value = convert_to(repeat(E'line\\n\\\\', 8388608), 'UTF8')
         where dag_id = 'source_dag_1' and run_id = 'custom__1_3' and task_id = 'extract';
        insert into variable (key, val, is_encrypted) values ('big', repeat(E'a\\\\\\n\\tb', 8388608), false);
        insert into log (dttm, event, owner, extra) values (now(), 'big', null, repeat(E'a\\\\\\n\\tü', 8388608));
        """
    )
    assert source.value("select min(length(val)) from variable where key = 'big'") > 50_000_000 * 5 // 6
    source.succeed("export", "--to", str(tmp_path), "--tables", "dag_run,task_instance,xcom,variable,log")
    target = target.having(fernet_key="")
    target.succeed("import", "--from", str(tmp_path))
    digests = """
        select md5(val) from variable where key = 'big' union all select md5(value) from xcom where length(value) > 1e7
        union all select md5(extra) from log where event = 'big' and owner is null
    """
    assert target.rows(digests) == source.rows(digests)
    assert len(target.rows(digests)) == 3


@pytest.mark.parametrize(
    "large",
    [
        "update xcom set value = "
        "(select string_agg(decode(md5(n::text), 'hex'), '') from generate_series(1, 4194304) n)",
        "update rendered_task_instance_fields set rendered_fields = "
        "(select json_build_object('a', string_agg(md5(n::text), '')) from generate_series(1, 4194304) n)",
    ],
    ids=["bytea", "json"],
)
def test_a_large_value_takes_at_most_three_times_its_copy_text(
    large: str, source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    source.execute(f"{large} where dag_id = 'source_dag_1' and run_id = 'custom__1_3' and task_id = 'extract'")
    copy_text = 2 * 64 * 1024**2
    # New interpreters, whose memory is theirs alone.
    tables = "dag_run,task_instance,xcom,rendered_task_instance_fields"
    process = source.start("export", "--to", str(tmp_path), "--tables", tables, environment={})
    with memory.watch(process.pid) as peak:
        assert outcome(process).code == 0
    assert peak.looks > 10
    assert peak.bytes < 3 * copy_text
    target.succeed("import", "--from", str(tmp_path))
    rendered = (
        "select md5(rendered_fields::text) from rendered_task_instance_fields where length(rendered_fields::text) > 1e8"
    )
    assert target.rows(rendered) == source.rows(rendered)


def test_before_2_3_a_runs_log_template_is_the_configurations(
    old_source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    custom = "{{ ti.dag_id }}/custom/{{ ts }}/{{ try_number }}%%.log"
    configured = old_source.having(options={"core__log_filename_template": custom})
    configured.succeed("export", "--to", str(tmp_path), "--tables", "dag_run")
    target.succeed("import", "--from", str(tmp_path))
    query = "select distinct t.filename from dag_run r join log_template t on t.id = r.log_template_id"
    assert target.rows(query) == [(custom.replace("%%", "%"),)]


@pytest.mark.parametrize("begun", [False, True])
def test_a_session_that_is_kept_alive_stays_in_its_transaction_or_out_of_it(
    filled_source: Deployment, begun: bool
) -> None:
    with closing(psycopg2.connect(filled_source.dsn)) as connection:
        if begun:
            fetch_value(connection, "select txid_current()")
        was = connection.get_transaction_status()
        keep_alive(connection)
        assert connection.get_transaction_status() == was
