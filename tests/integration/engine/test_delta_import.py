"""A delta in the target: afterwards it has what one import of everything would have given it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sources.deployment import Deployment
from tests.integration.engine.commands import eventually, kill, wait_for_phase
from tests.integration.engine.conftest import TARGET, fill

RUN = ("source_dag_1", "none__1_1")
OTHER = ("source_dag_2", "none__2_1")

#: Everything that a source at work does, and then some: rows inserted, updated, deleted, and given new keys.
WORK = r"""
-- Runs go on.
update task_instance set state = 'success', end_date = now(), trigger_id = null where state in ('deferred', 'running');
delete from trigger where id not in (select trigger_id from task_instance where trigger_id is not null);
update dag_run set state = 'success', end_date = now() where state = 'running';
update job set latest_heartbeat = now(), state = 'failed' where id % 50 = 7;
-- A task is cleared.
delete from xcom where (dag_id, run_id) = ('source_dag_2', 'none__2_4');
delete from rendered_task_instance_fields where (dag_id, run_id) = ('source_dag_2', 'none__2_4');
update task_instance set state = null, try_number = 7 where (dag_id, run_id) = ('source_dag_2', 'none__2_4');
insert into task_fail (dag_id, run_id, task_id, map_index, start_date, end_date, duration)
values ('source_dag_2', 'none__2_4', 'load', 1, now(), now(), 1);
delete from task_reschedule where (dag_id, run_id) = ('source_dag_2', 'none__2_4')
   and id = (select min(id) from task_reschedule where (dag_id, run_id) = ('source_dag_2', 'none__2_4'));
-- A mapped task has shrunk.
delete from task_instance where (dag_id, run_id) = ('source_dag_2', 'custom__2_3') and map_index = 2;
-- A run is deleted, and another one takes its date; a third is deleted.
create temporary table old as select * from dag_run where (dag_id, run_id) = ('source_dag_3', 'none__3_4');
delete from dag_run where dag_id = 'source_dag_3' and run_id in ('none__3_4', 'none__3_7');
insert into dag_run (dag_id, run_id, execution_date, state, run_type, external_trigger, clear_number, log_template_id)
select dag_id, 'manual__' || run_id, execution_date, 'success', 'manual', true, 0, (select max(id) from log_template)
  from old;
insert into task_instance (dag_id, run_id, task_id, map_index, state, try_number, pool, pool_slots, job_id)
select dag_id, run_id, 'extract', -1, 'success', 1, 'default_pool', 1, (select max(id) from job)
  from dag_run where run_id = 'manual__none__3_4';
insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp)
select id, dag_id, run_id, 'extract', -1, 'return_value', '"new"', now()
  from dag_run where run_id = 'manual__none__3_4';
drop table old;
-- A run's name can be anything.
insert into dag_run (dag_id, run_id, execution_date, state, run_type, external_trigger, clear_number)
values ('source_dag_1', E'manual\t"%s"\n\\N''{}', '2020-01-01', 'success', 'manual', true, 0);
-- Notes.
update dag_run_note set content = 'changed' where dag_run_id = (select max(dag_run_id) from dag_run_note);
delete from task_instance_note where dag_id = 'source_dag_4';
-- Rows without runs.
insert into log (dttm, event, owner) select now(), 'new ' || n, 'team' from generate_series(1, 5) n;
delete from log where id = (select max(id) - 20 from log);
insert into dataset (uri, extra, created_at, updated_at, is_orphaned) values ('s3://new', '{}', now(), now(), false);
insert into dataset_event (dataset_id, extra, source_dag_id, source_map_index, timestamp)
select max(id), '{}', 'source_dag_5', -1, now() from dataset;
insert into dagrun_dataset_event (dag_run_id, event_id)
select (select max(id) from dag_run where dag_id = 'source_dag_5'), max(id) from dataset_event;
delete from dataset_dag_run_queue where target_dag_id = (select min(target_dag_id) from dataset_dag_run_queue);
delete from sla_miss where dag_id = (select min(dag_id) from sla_miss);
-- Settings.
update variable set val = 'other', is_encrypted = false where key = 'plain_in_clear';
delete from variable where key = 'lines_in_clear';
insert into variable (key, val, is_encrypted) values ('new', 'new', false);
delete from connection where conn_id = 'long';
update slot_pool set slots = 77 where pool <> 'default_pool';
"""


@pytest.fixture
def moved(source: Deployment, target: Deployment, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Takes a base and imports it; what it returns takes a delta and imports that."""
    source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base")
    target.succeed("import", "--from", str(tmp_path / "base"))

    def delta(name: str = "delta", of: str = "base") -> dict[str, Any]:
        source.succeed("export", "--to", str(tmp_path), "--id", name, "--delta-of", str(tmp_path / of))
        return target.succeed("import", "--from", str(tmp_path / name))

    return delta


#: What may differ: the time at which a merge adds the target's own template again, and numbers of triggers that the
#: source itself has no more.
LEVEL = """
    update log_template set created_at = '2026-01-01';
    update task_instance_history set trigger_id = null where trigger_id not in (select id from trigger);
"""


def history(deployment: Deployment) -> dict[str, Any]:
    """Rows and checksum of each table, keys included. Two encryptions of a secret differ, so those are only counted."""
    content = deployment.content()
    del content["definitions"]
    for table in ("connection", "variable", "trigger"):
        content[table] = content[table][0]
    return content


def test_the_target_has_what_one_import_would_give_it(
    source: Deployment,
    target: Deployment,
    empty_target: Deployment,
    copy_of: Callable[[Deployment], Deployment],
    moved: Callable[..., dict[str, Any]],
    tmp_path: Path,
) -> None:
    source.execute(WORK)
    deleted = moved()["deleted"]
    assert deleted["dag_run"] == 2
    assert source.succeed("compare-source", "--from", str(tmp_path / "delta"))["unchanged"]
    assert target.succeed("verify", "--from", str(tmp_path / "delta"))["verified"]
    assert target.succeed("import", "--from", str(tmp_path / "delta"))["already_imported"]
    followed = target.run("verify", "--from", str(tmp_path / "base"))
    assert (followed.code, followed.error) == (3, "FollowedByDelta")
    at_once = copy_of(empty_target)
    source.succeed("export", "--to", str(tmp_path), "--id", "whole")
    at_once.succeed("import", "--from", str(tmp_path / "whole"))
    at_once.execute(LEVEL)
    target.execute(LEVEL)
    expected, found = history(at_once), history(target)
    assert {name: found[name] for name in expected if found[name] != expected[name]} == {}
    assert "plain" in {key for (key,) in target.rows("select key from variable")}
    assert target.value("select count(*) from variable where key in ('lines_in_clear')") == 0
    # Nothing has changed since.
    before = history(target)
    moved("nothing", of="delta")
    target.execute(LEVEL)
    assert history(target) == before


def test_a_target_that_has_rows_of_its_own(
    source: Deployment,
    used_target: Deployment,
    copy_of: Callable[[Deployment], Deployment],
    artifact: Path,
    tmp_path: Path,
) -> None:
    """Among them the source's, from an import before: no row has the number that the base's blocks would give it."""
    target = copy_of(used_target)
    own = target.rows("select dag_id, run_id, id from dag_run order by id")
    target.succeed("import", "--from", str(artifact))
    counts = target.counts()
    source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base")
    kept = target.succeed("import", "--from", str(tmp_path / "base"))["tables"]
    assert kept["log"]["merged"] == 0
    source.execute("update log set extra = 'new' where id = 7; delete from log where id = 8")
    source.execute("update job set state = 'failed' where id = 9; delete from job where id = 10")
    source.execute("update task_instance set pid = 7 where (dag_id, run_id) = (%s, %s)", RUN)
    source.succeed("export", "--to", str(tmp_path), "--id", "delta", "--delta-of", str(tmp_path / "base"))
    target.succeed("import", "--from", str(tmp_path / "delta"))
    # One row each was not deleted: the target had it before the base, so it is the target's own.
    after = target.counts()
    assert {name: after[name] - counts[name] for name in counts if after[name] != counts[name]} == {}
    assert target.value("select count(*) from log where extra = 'new'") == 1
    assert target.value("select count(*) from task_instance where pid = 7") == 5
    assert target.rows("select dag_id, run_id, id from dag_run where dag_id like 'target%' order by id") == own


def test_a_run_that_was_made_again_keeps_its_key(
    source: Deployment, target: Deployment, moved: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    number = target.value("select id from dag_run where (dag_id, run_id) = (%s, %s)", RUN)
    source.execute(
        """
        create temporary table old as select * from dag_run where (dag_id, run_id) = ('source_dag_1', 'none__1_1');
        delete from dag_run where (dag_id, run_id) = ('source_dag_1', 'none__1_1');
        insert into dag_run (dag_id, run_id, execution_date, state, run_type, external_trigger, clear_number)
        select dag_id, run_id, execution_date, 'queued', 'manual', true, 0 from old
        """
    )
    for name, of in (("first", "base"), ("second", "first")):
        moved(name, of)
        found = target.rows("select id, state from dag_run where (dag_id, run_id) = (%s, %s)", RUN)
        assert found == [(number, "queued" if name == "first" else "running")]
        assert target.value("select count(*) from task_instance where (dag_id, run_id) = (%s, %s)", RUN) == 0
        assert target.succeed("verify", "--from", str(tmp_path / name))["verified"]
        source.execute("update dag_run set state = 'running' where (dag_id, run_id) = (%s, %s)", RUN)


def test_what_the_targets_airflow_did_is_neither_hidden_nor_taken_for_a_change(
    source: Deployment, target: Deployment, moved: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Its triggerer has gone on with a deferred task, and deleted the trigger."""
    source.execute("update job set job_type = 'SchedulerJob', state = 'running' where id = 3")
    moved("first")
    deferred = target.rows("select dag_id, run_id from task_instance where state = 'deferred' order by 1, 2")
    target.execute("update job set state = 'failed' where job_type = 'SchedulerJob'")
    target.execute("update task_instance set state = 'scheduled', trigger_id = null where state = 'deferred'")
    target.execute("delete from trigger")
    # One of their runs has changed in the source since: all of it is as the source has it.
    changed, untouched = deferred[0], deferred[1]
    source.execute(
        "update task_instance set pid = 7 where (dag_id, run_id) = (%s, %s) and task_id = 'extract'", changed
    )
    moved("second", of="first")
    state = "select state, trigger_id is null from task_instance where (dag_id, run_id) = (%s, %s) and task_id = 'wait'"
    assert target.rows(state, changed) == [("deferred", False)]
    assert target.rows(state, untouched) == [("scheduled", True)]
    assert target.succeed("verify", "--from", str(tmp_path / "second"))["verified"]


def test_a_row_too_many_or_too_few_is_found_and_its_run_named(
    source: Deployment, target: Deployment, moved: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    source.execute("update task_instance set pid = 7 where (dag_id, run_id) = (%s, %s)", RUN)
    source.execute("delete from xcom where (dag_id, run_id) = (%s, %s) and task_id = 'extract'", RUN)
    source.execute("delete from variable where key = 'plain_in_clear'")
    moved()
    target.execute(
        """
        insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, timestamp)
        select id, dag_id, run_id, 'extract', -1, 'return_value', now() from dag_run
         where (dag_id, run_id) = ('source_dag_1', 'none__1_1');
        insert into variable (key, val) values ('plain_in_clear', '');
        """
    )
    failed = target.run("verify", "--from", str(tmp_path / "delta"))
    assert (failed.code, failed.error) == (4, "ContentDiffers")
    tables = failed.result["tables"]
    assert {name: table["surplus"] for name, table in tables.items() if table["surplus"]} == {"xcom": 1, "variable": 1}
    assert " ".join(RUN) in tables["xcom"]["examples"][0]


def test_killed_in_the_merge(source: Deployment, target: Deployment, tmp_path: Path) -> None:
    """The target is as the base has left it, and the delta runs again."""
    source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base")
    target.succeed("import", "--from", str(tmp_path / "base"))
    source.execute(WORK)
    source.succeed("export", "--to", str(tmp_path), "--id", "delta", "--delta-of", str(tmp_path / "base"))
    before = history(target)
    with target.cursor() as cursor:
        # The merge waits for this row.
        cursor.execute("select from dag_run where (dag_id, run_id) = ('source_dag_3', 'none__3_7') for update")
        process = target.start("import", "--from", str(tmp_path / "delta"))
        wait_for_phase(process, "merge")
        eventually(lambda: target.value("select exists (select from pg_locks where not granted)"))
        kill(process)
    eventually(lambda: target.value("select count(*) = 1 from pg_stat_activity where datname = current_database()"))
    assert history(target) == before
    assert not target.succeed("import", "--from", str(tmp_path / "delta"))["already_imported"]
    assert target.succeed("verify", "--from", str(tmp_path / "delta"))["verified"]


def test_a_delta_follows_the_last_artifact_that_was_imported(
    source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base")
    for name in ("first", "second"):
        source.succeed("export", "--to", str(tmp_path), "--id", name, "--delta-of", str(tmp_path / "base"))
    refused = target.run("import", "--from", str(tmp_path / "first"))
    assert (refused.code, refused.error) == (3, "BaseNotImported")
    target.succeed("import", "--from", str(tmp_path / "base"))
    target.succeed("import", "--from", str(tmp_path / "first"))
    refused = target.run("import", "--from", str(tmp_path / "second"))
    assert (refused.code, refused.error) == (3, "BaseNotImported")
    assert "first, which follows it too" in refused.message


def test_a_damaged_list_of_changes_is_refused(source: Deployment, target: Deployment, tmp_path: Path) -> None:
    """By it rows are deleted."""
    source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base")
    target.succeed("import", "--from", str(tmp_path / "base"))
    source.succeed("export", "--to", str(tmp_path), "--id", "delta", "--delta-of", str(tmp_path / "base"))
    before = history(target)
    file = tmp_path / "delta" / "changes.json"
    file.write_text(file.read_text().replace('"runs": []', '"runs": [["source_dag_1", "none__1_1"]]'))
    refused = target.run("import", "--from", str(tmp_path / "delta"))
    assert (refused.code, refused.error) == (3, "ArtifactDamaged")
    assert history(target) == before


def test_a_source_of_the_targets_own_version(
    new_deployment: Callable[..., Deployment], empty_target: Deployment, target: Deployment, tmp_path: Path
) -> None:
    source = new_deployment(TARGET, like=empty_target)
    fill(source, "source", dags=5, runs=8)
    source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base")
    target.succeed("import", "--from", str(tmp_path / "base"))
    source.execute(WORK)
    source.succeed("export", "--to", str(tmp_path), "--id", "delta", "--delta-of", str(tmp_path / "base"))
    target.succeed("import", "--from", str(tmp_path / "delta"))
    assert target.succeed("verify", "--from", str(tmp_path / "delta"))["verified"]
    expected, found = source.counts(), target.counts()
    runs = ("dag_run", "task_instance", "xcom", "task_fail", "task_reschedule", "log", "job", "dataset_event")
    assert {name: found[name] for name in runs} == {name: expected[name] for name in runs}


@pytest.fixture
def verified(source: Deployment, target: Deployment, tmp_path: Path) -> Callable[[], Any]:
    """A base is imported and verified; what it returns has a delta of one changed run verified, too."""
    source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base")
    target.succeed("import", "--from", str(tmp_path / "base"))
    assert target.succeed("verify", "--from", str(tmp_path / "base"))["verified"]

    def delta() -> Any:
        source.execute("update task_instance set pid = 7 where (dag_id, run_id) = (%s, %s)", RUN)
        source.succeed("export", "--to", str(tmp_path), "--id", "delta", "--delta-of", str(tmp_path / "base"))
        target.succeed("import", "--from", str(tmp_path / "delta"))
        return target.run("verify", "--from", str(tmp_path / "delta"))

    return delta


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("task_instance", "update task_instance set pid = 8 where (dag_id, run_id, task_id) = (%s, %s, 'load')"),
        ("dag_run", "update dag_run set conf = null, state = 'failed' where (dag_id, run_id) = (%s, %s)"),
        ("xcom", "delete from xcom where (dag_id, run_id) = (%s, %s) and task_id = 'extract'"),
    ],
)
def test_a_run_outside_of_the_delta_that_has_changed_in_the_target_is_named(
    table: str, statement: str, target: Deployment, verified: Callable[[], Any], tmp_path: Path
) -> None:
    target.execute(statement, OTHER)
    differs = verified()
    assert (differs.code, differs.error) == (4, "ContentDiffers")
    assert [name for name, of in differs.result["tables"].items() if not of["match"]] == [table]
    assert differs.result["tables"][table]["changed"] == 1
    assert differs.result["tables"][table]["examples"] == [" ".join(OTHER)]
    # Nothing was recorded of it: it is found again.
    assert target.run("verify", "--from", str(tmp_path / "delta")).error == "ContentDiffers"


def test_what_the_targets_airflow_does_by_itself_is_no_change(
    target: Deployment, verified: Callable[[], Any], tmp_path: Path
) -> None:
    taken_back = "update task_instance set state = null, updated_at = now() where state in ('queued', 'running')"
    assert target.value("select count(*) from task_instance where state in ('queued', 'running')") > 0
    target.execute(taken_back)
    target.execute(
        "update task_instance set state = 'scheduled', trigger_id = null, next_kwargs = null, updated_at = now() "
        "where state = 'deferred'"
    )
    done = verified()
    assert done.result["verified"]
    assert target.succeed("verify", "--from", str(tmp_path / "delta"))["verified"]


def test_what_looks_like_airflows_doing_and_is_more_is_a_change(
    target: Deployment, verified: Callable[[], Any]
) -> None:
    target.execute("update task_instance set state = null, pid = 8 where state in ('queued', 'running')")
    assert verified().error == "ContentDiffers"


def test_runs_are_not_compared_after_a_gap_in_what_was_verified(
    source: Deployment, target: Deployment, moved: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """The base was not verified here, so nobody knows what its runs should be."""
    source.execute("update task_instance set pid = 7 where (dag_id, run_id) = (%s, %s)", RUN)
    moved()
    done = target.run("verify", "--from", str(tmp_path / "delta"))
    assert done.result["verified"]
    assert "base was not verified" in done.stderr
