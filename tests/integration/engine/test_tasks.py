"""The DAGs' tasks, called as Airflow calls them; what they leave in S3 is read here from a directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sources.deployment import Deployment

ACTIVE = "select dag_id from dag where not is_paused order by 1"

CALL = """
import json, logging
from types import SimpleNamespace
from mwaa_migrator.dag_tasks import tasks
raised = None
try:
    tasks.run_task({task!r}, dict(dag_run=SimpleNamespace(run_id="by hand", conf={conf!r})))
except Exception as error:
    raised = [type(error).__name__, str(error)]
print(json.dumps(raised))
"""


def call(deployment: Deployment, task: str, artifact: Path, **options: Any) -> Any:
    """The name and the message of what the task raised; None where it succeeded."""
    conf = {"artifact": str(artifact), "options": options}
    return deployment.python(CALL.format(task=task, conf=conf))


def result(artifact: Path, command: str) -> Any:
    return json.loads((artifact / f"{command}.json").read_text())


@pytest.fixture
def quiesced(source: Deployment, tmp_path: Path) -> tuple[Deployment, list[str]]:
    """A source whose DAGs are paused, and those that were active, our own left out. Ten of its tasks run."""
    active = [dag for (dag,) in source.rows(ACTIVE)]
    assert active
    source.execute(
        "insert into dag (dag_id, is_paused, is_active, max_active_tasks, max_consecutive_failed_dag_runs, "
        "has_task_concurrency_limits) values ('mwaa_migrator_export', false, true, 16, 0, false)"
    )
    assert call(source, "quiesce", tmp_path, quiesce=True) is None
    return source, active


def test_quiesce_pauses_all_dags_but_ours(quiesced: tuple[Deployment, list[str]], tmp_path: Path) -> None:
    source, active = quiesced
    assert source.rows(ACTIVE) == [("mwaa_migrator_export",)]
    told = result(tmp_path, "quiesce")
    assert (told["status"], told["active_dags"], told["paused"]) == ("done", active, len(active))
    # Tried again, it still knows what was active before the first time.
    assert call(source, "quiesce", tmp_path, quiesce=True) is None
    assert result(tmp_path, "quiesce")["active_dags"] == active


def test_quiesce_pauses_nothing_unless_asked(source: Deployment, tmp_path: Path) -> None:
    before = source.rows(ACTIVE)
    assert call(source, "quiesce", tmp_path) is None
    assert call(source, "drain", tmp_path) is None
    assert source.rows(ACTIVE) == before
    assert result(tmp_path, "quiesce")["active_dags"] == []


def test_a_probe_looks_and_changes_nothing(source: Deployment, tmp_path: Path) -> None:
    source.execute("insert into variable (key, val, is_encrypted) values ('lost', 'gAAAAAof-a-key-that-is-gone', true)")
    before = source.content()
    for task in ("quiesce", "drain", "export"):
        assert call(source, task, tmp_path, quiesce=True, probe=True) is None
    assert source.content() == before
    told = result(tmp_path, "export")
    assert (told["status"], told["ready"]) == ("done", False)
    assert [problem["name"] for problem in told["problems"]] == ["UndecryptableSecret"]
    assert not (tmp_path / "manifest.json").exists()


def test_a_delta_follows_a_base_and_the_paused_source_is_compared_with_it(source: Deployment, tmp_path: Path) -> None:
    base, delta = tmp_path / "base", tmp_path / "delta"
    assert call(source, "export", base, asBase=True) is None
    change = "update dag_run set end_date = clock_timestamp() where id = (select min(id) from dag_run)"
    source.execute(change)
    options = {"deltaOf": str(base), "quiesce": True}
    assert call(source, "export", delta, **options) is None
    assert result(delta, "export")["follows"]["artifact_id"] == "base"
    assert result(delta, "export")["changed_units"]["runs"] == 1
    assert call(source, "compare", delta, **options) is None
    assert result(delta, "compare")["unchanged"]
    # Nobody pauses anything for a base or a refresh.
    assert call(source, "compare", base, deltaOf=str(base)) is None
    assert "unchanged" not in result(base, "compare")
    source.execute(change)
    name, message = call(source, "compare", delta, **options)
    assert (name, "has changed since delta: 1 runs" in message) == ("AirflowFailException", True)
    assert result(delta, "compare")["error"] == {"name": "SourceChanged", "message": message}
    # Tasks that were left running write on.
    assert call(source, "compare", delta, **options, drainPolicy="abandon") is None
    assert not result(delta, "compare")["unchanged"]


def test_a_secret_that_no_key_decrypts_is_found_before_the_pause(source: Deployment, tmp_path: Path) -> None:
    source.execute("insert into variable (key, val, is_encrypted) values ('lost', 'gAAAAAof-a-key-that-is-gone', true)")
    before = source.rows(ACTIVE)
    raised, message = call(source, "quiesce", tmp_path, quiesce=True)
    assert (raised, "variable lost (val)" in message) == ("AirflowFailException", True)
    assert source.rows(ACTIVE) == before


def test_resume_puts_back_what_was_active(quiesced: tuple[Deployment, list[str]], tmp_path: Path) -> None:
    source, active = quiesced
    # Paused by its owner before, it stays so.
    assert call(source, "resume", tmp_path) is None
    assert result(tmp_path, "resume")["resumed"] == len(active)
    assert [dag for (dag,) in source.rows(ACTIVE)] == ["mwaa_migrator_export", *active]
    source.execute("update dag set is_paused = true where dag_id = %s", (active[0],))
    assert call(source, "resume", tmp_path) is None
    assert result(tmp_path, "resume")["resumed"] == 0


def test_drain_ends_when_nothing_runs(quiesced: tuple[Deployment, list[str]], tmp_path: Path) -> None:
    source, _ = quiesced
    source.execute("update task_instance set state = 'success' where state in ('running', 'queued')")
    assert call(source, "drain", tmp_path, quiesce=True) is None
    assert result(tmp_path, "drain")["running"] == 0


def test_drain_puts_the_dags_back_when_the_time_is_over(quiesced: tuple[Deployment, list[str]], tmp_path: Path) -> None:
    source, active = quiesced
    # For good: tried again, it would take the first quiet moment of the DAGs that run again for the end of the drain.
    name, message = call(source, "drain", tmp_path, quiesce=True, drainSeconds=0)
    assert name == "AirflowFailException"
    name = result(tmp_path, "drain")["error"]["name"]
    assert name == "DrainTimedOut"
    assert f"the {len(active)} paused DAGs were put back" in message
    assert result(tmp_path, "drain")["error"] == {"name": name, "message": message}
    assert [dag for (dag,) in source.rows(ACTIVE)] == ["mwaa_migrator_export", *active]


@pytest.mark.parametrize("task", ["quiesce", "export"])
def test_what_begins_after_the_source_was_put_back_is_refused(
    quiesced: tuple[Deployment, list[str]], tmp_path: Path, task: str
) -> None:
    source, active = quiesced
    assert call(source, "resume", tmp_path) is None
    name, message = call(source, task, tmp_path, quiesce=True)
    assert name == "AirflowFailException"
    assert "were put back by a rollback" in message
    assert [dag for (dag,) in source.rows(ACTIVE)] == ["mwaa_migrator_export", *active]
    assert not (tmp_path / "manifest.json").exists()


def test_a_quiesce_that_waited_for_a_worker_until_after_the_roll_back_pauses_nothing(
    source: Deployment, tmp_path: Path
) -> None:
    before = source.rows(ACTIVE)
    assert call(source, "resume", tmp_path) is None
    assert call(source, "quiesce", tmp_path, quiesce=True)[0] == "AirflowFailException"
    assert result(tmp_path, "quiesce")["error"]["name"] == "SourceResumed"
    assert source.rows(ACTIVE) == before


def test_drain_goes_on_when_told_to(quiesced: tuple[Deployment, list[str]], tmp_path: Path) -> None:
    source, _ = quiesced
    assert call(source, "drain", tmp_path, quiesce=True, drainSeconds=0, drainPolicy="abandon") is None
    running = source.value("select count(*) from task_instance where state = 'running'")
    assert result(tmp_path, "drain")["running"] == running > 0
    assert source.rows(ACTIVE) == [("mwaa_migrator_export",)]


def test_results_can_be_read_without_the_web_server(
    filled_source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    artifact = tmp_path / "by-task"
    assert call(filled_source, "export", artifact, excludeTables=["log"]) is None
    assert call(target, "import", artifact, pauseState="source") is None
    assert call(target, "verify", artifact) is None
    told = {command: result(artifact, command) for command in ("export", "import", "verify")}
    assert {(one["status"], one["error"], one["run_id"]) for one in told.values()} == {("done", None, "by hand")}
    assert "log" not in told["export"]["tables"]
    assert told["import"]["tables"]["xcom"]["merged"] == told["export"]["tables"]["xcom"]["rows"] == 800
    assert told["verify"]["verified"]


def test_a_refusal_is_told_and_not_tried_again(target: Deployment, broken: Path) -> None:
    """AirflowFailException is how a task says that a retry is of no use."""
    (broken / "schema.json").unlink()
    name, message = call(target, "import", broken)
    assert name == "AirflowFailException"
    assert result(broken, "import")["error"] == {"name": "ArtifactDamaged", "message": message}
    assert call(target, "import", broken, onConflict="guess")[0] == "AirflowFailException"
    assert result(broken, "import")["error"]["name"] == "InvalidArguments"


def test_a_database_that_does_not_answer_is_asked_again(target: Deployment, broken: Path) -> None:
    name, message = call(target.having(user="nobody"), "import", broken)
    assert name == "DatabaseUnreachable"
    assert result(broken, "import")["error"] == {"name": name, "message": message}


OUR_DAGS = """
import importlib, json, os
import mwaa_migrator
from airflow.utils.file import find_path_from_directory
dags = [importlib.import_module("mwaa_migrator_" + name).dag for name in ("export", "import", "resume")]
folder = os.path.dirname(mwaa_migrator.__file__)
print(json.dumps({
    "tasks": [
        [str(task.execution_timeout), task.retries, task.retry_delay.total_seconds()]
        for dag in dags for task in dag.tasks
    ],
    "parsed": [
        path for syntax in ("regexp", "glob") for path in find_path_from_directory(folder, ".airflowignore", syntax)
        if path.endswith(".py")
    ],
}))
"""


def test_a_users_defaults_do_not_end_our_tasks_and_our_modules_are_no_dags(empty_target: Deployment) -> None:
    limited = empty_target.having(
        options={"core__default_task_execution_timeout": "60", "core__default_task_retries": "0"}
    )
    found = limited.new_python(OUR_DAGS)
    assert found == {"tasks": [["None", 3, 30.0]] * 7, "parsed": []}
