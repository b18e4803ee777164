from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from sources.deployment import Deployment


def test_differences_are_found_by_content(target: Deployment, artifact: Path) -> None:
    """Each is one value of one row; counts are all as they should be but for the missing XCom's."""
    target.succeed("import", "--from", str(artifact))
    token = Fernet(target.fernet_key).encrypt(b"another").decode()
    target.execute(
        """
        update dag_run set state = 'failed' where run_id = 'custom__1_3';
        update task_instance set try_number = try_number + 1 where run_id = 'custom__1_3' and task_id = 'extract';
        delete from xcom where run_id = 'custom__1_3' and task_id = 'extract';
        update log set extra = extra || ' ' where dttm = (select max(dttm) from log) and map_index = 1;
        update rendered_task_instance_fields set rendered_fields = '{"command": null}' where run_id = 'custom__1_3';
        update variable set val = %(token)s where key = 'plain';
        update connection set password = %(token)s where conn_id = 'lines';
        update slot_pool set slots = 8 where pool = 'source_pool';
        update dag_run_note set content = content || '.' where content like 'custom__1_3%%';
        update dagrun_dataset_event set dag_run_id = (select id from dag_run where run_id = 'custom__2_18')
         where dag_run_id = (select id from dag_run where run_id = 'custom__1_18')
        """,
        {"token": token},
    )
    failed = target.run("verify", "--from", str(artifact))
    assert (failed.code, failed.error) == (4, "ContentDiffers")
    tables = failed.result["tables"]
    different = {
        name: (table["missing"], table["differing"] + len(table["secrets_differing"]))
        for name, table in tables.items()
        if not table["match"]
    }
    assert different == {
        "dag_run": (0, 1),
        "task_instance": (0, 1),
        "xcom": (1, 0),
        # A row without a key that differs is a row that is missing.
        "log": (1, 0),
        "rendered_task_instance_fields": (0, 1),
        "variable": (0, 1),
        "connection": (0, 1),
        "slot_pool": (0, 1),
        "dag_run_note": (0, 1),
        "dagrun_dataset_event": (1, 0),
    }
    assert tables["variable"]["secrets_differing"] == ["plain"]
    assert any("custom__1_3" in example for example in tables["dag_run"]["examples"])
    assert "another" not in failed.stderr
    assert target.scratch_schemas() == []


@pytest.mark.parametrize("lost", ["dag_run"])
def test_rows_of_a_lost_run_are_missing(lost: str, target: Deployment, artifact: Path) -> None:
    target.succeed("import", "--from", str(artifact))
    target.execute("delete from dag_run where dag_id = 'source_dag_1'")
    tables = target.run("verify", "--from", str(artifact)).result["tables"]
    assert {name: tables[name]["missing"] for name in (lost, "task_instance", "xcom")} == {
        "dag_run": 20,
        "task_instance": 100,
        "xcom": 80,
    }


def test_a_run_that_is_said_to_have_consumed_another_event(target: Deployment, artifact: Path) -> None:
    """Events have no identity of their own; they are known by what they say."""
    target.succeed("import", "--from", str(artifact))
    target.execute(
        "update dagrun_dataset_event set event_id = (select max(event_id) from dagrun_dataset_event) where "
        "(dag_run_id, event_id) = (select dag_run_id, event_id from dagrun_dataset_event order by 2 limit 1)"
    )
    tables = target.run("verify", "--from", str(artifact)).result["tables"]
    assert {name: table["missing"] for name, table in tables.items() if not table["match"]} == {
        "dagrun_dataset_event": 1
    }


def test_templates_that_the_source_has_several_times(source: Deployment, target: Deployment, tmp_path: Path) -> None:
    """Airflow adds one again when the newest is another; its processes do so at once, so there can be any number."""
    again = (
        "insert into log_template (filename, elasticsearch_id, created_at) "
        "select filename, elasticsearch_id, now() from log_template where id = 1"
    )
    for _ in range(3):
        source.execute(again)
    source.execute("update dag_run set log_template_id = 4 where run_id = 'none__1_1'")
    source.succeed("export", "--to", str(tmp_path), "--id", "again")
    target.succeed("import", "--from", str(tmp_path / "again"))
    table = target.succeed("verify", "--from", str(tmp_path / "again"))["tables"]["log_template"]
    assert (table["exported"], table["missing"], table["match"]) == (5, 0, True)
    meant = (
        "select r.run_id, t.filename from dag_run r join log_template t on t.id = r.log_template_id "
        "where r.run_id in ('none__1_1', 'custom__1_3') order by 1"
    )
    assert target.rows(meant) == source.rows(meant) != []


# What Airflow's own code does, in the words of its SQL, to rows that a scheduler and a triggerer of the source had.
OWN_CHANGES = {
    "job": ["update job set state = 'failed' where job_type = 'SchedulerJob' and state = 'running'"],
    "task_instance": [
        """update task_instance set state = null, queued_by_job_id = null, updated_at = now()
            where state = 'running' and run_id like 'custom__%'""",
        """update task_instance set state = 'scheduled', trigger_id = null, updated_at = now(),
                  next_kwargs = '{"event": true}' where state = 'deferred' and run_id like 'custom__%'""",
        "delete from trigger where id not in (select trigger_id from task_instance where trigger_id is not null)",
    ],
}


@pytest.mark.parametrize("table", OWN_CHANGES)
def test_what_the_targets_airflow_goes_on_with_is_no_difference(
    table: str, source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    """Its schedulers look after what others have left every five minutes, and an import can take longer."""
    source.execute(
        """
        insert into job (job_type, state, start_date, latest_heartbeat, hostname)
        values ('SchedulerJob', 'running', now(), now(), 'one'), ('SchedulerJob', 'running', now(), now(), 'another')
        """
    )
    source.succeed("export", "--to", str(tmp_path), "--id", "again")
    target.succeed("import", "--from", str(tmp_path / "again"))
    for statement in OWN_CHANGES[table]:
        target.execute(statement)
    verified = target.succeed("verify", "--from", str(tmp_path / "again"))
    assert verified["verified"]
    told = verified["tables"][table]
    assert told["checksum_source"] == told["checksum_target"]


# What the target's scheduler does each minute.
EACH_MINUTE = """
import json
from datetime import datetime, timezone
from airflow import DAG
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.operators.empty import EmptyOperator

class Dags:
    def get_dag(self, dag_id, session=None):
        with DAG(dag_id, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
            EmptyOperator(task_id="extract") >> EmptyOperator(task_id="wait") >> EmptyOperator(task_id="load")
        return dag

runner = SchedulerJobRunner(Job())
runner.dagbag = Dags()
runner._update_dag_run_state_for_paused_dags()
print(json.dumps(None))
"""


def test_the_targets_scheduler_leaves_runs_alone_whose_dag_is_paused(
    source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    """The source's DAGs were paused when their tasks had ended and no scheduler had looked at their runs since."""
    source.execute(
        """
        update dag set is_paused = true;
        update task_instance t set state = 'success', trigger_id = null, next_kwargs = null from dag_run r
         where (r.dag_id, r.run_id) = (t.dag_id, t.run_id) and r.state = 'running'
        """
    )
    source.succeed("export", "--to", str(tmp_path), "--id", "again")
    target.succeed("import", "--from", str(tmp_path / "again"), "--pause-state", "source")
    states = "select state, count(*), count(end_date) from dag_run group by 1 order by 1"
    before = target.rows(states)
    assert ("running", 10, 0) in before
    target.python(EACH_MINUTE)
    assert target.rows(states) == before
    assert target.succeed("verify", "--from", str(tmp_path / "again"))["verified"]


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("job", "update job set state = 'failed' where job_type <> 'SchedulerJob' and id = (select max(id) from job)"),
        ("task_instance", "update task_instance set state = null, try_number = 7 where state = 'running'"),
        ("task_instance", "update task_instance set state = 'success' where state = 'deferred'"),
        ("task_instance", "update task_instance set state = null where state = 'success'"),
        ("trigger", "delete from trigger"),
    ],
)
def test_what_it_does_not_do_by_itself_is_a_difference(
    table: str, statement: str, target: Deployment, artifact: Path
) -> None:
    target.succeed("import", "--from", str(artifact))
    if table == "trigger":
        target.execute("update task_instance set trigger_id = null")
    target.execute(statement)
    tables = target.run("verify", "--from", str(artifact)).result["tables"]
    assert table in {name for name, told in tables.items() if not told["match"]}
