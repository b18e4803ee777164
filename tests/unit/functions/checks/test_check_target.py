"""CheckTarget as Step Functions calls it, with commands that answer as those of Airflow 2.11 and 3.2 do."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import check_target
import report
from migration import errors
from migration.airflow import our_dags, runs
from migration.airflow.cli import AirflowCli
from migration.airflow.endpoint import Answer
from migration.aws import clients
from migration.checks import check_results, gate, history_and_logs, smoke_test
from migration.exchange.store import of_artifact, of_attempt
from migration.plan.migration_input import with_defaults
from migration.report import contents
from tests.unit.functions.conftest import EXECUTION, Commands, Environments, Handler, document

Plan = dict[str, Any]
TRACE = """Traceback (most recent call last):
  File "<frozen importlib._bootstrap>", line 488, in _call_with_frames_removed
  File "/usr/local/airflow/dags/team/orders.py", line 3, in <module>
    from airflow.operators.python_operator import PythonOperator
ModuleNotFoundError: No module named 'airflow.operators.python_operator'
"""
TABLE = {"exported": 10, "merged": 7, "kept": 2, "set_aside": 1, "match": True}
LOGS = {"events_source": 12, "events_copied": 9, "events_archived": 3, "events_lost": 0}


def rows(*found: dict[str, Any]) -> Answer:
    return Answer(True, json.dumps(found), "")


def listed(*dags: str) -> Answer:
    """`dags list`, with the warning before it that 2.11 may print."""
    text = json.dumps(
        [{"dag_id": dag, "fileloc": f"/usr/local/airflow/dags/{dag}.py", "paused": "True"} for dag in dags]
    )
    return Answer(True, f"[2026-11-22 10:00:00] INFO - filling up\n{text}\n", "Error: Failed to load all files.")


def broken(*files: tuple[str, str]) -> Answer:
    """`dags list-import-errors`, which exits with 1 when there are some."""
    return Answer(not files, json.dumps([{"filepath": path, "error": error} for path, error in files]), "")


@pytest.fixture(params=["2.11.2", "3.2.1"])
def version(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def migration(mwaa: Environments, planned: Plan, version: str) -> Plan:
    """A rehearsal that has come to its checks; the source knows two DAGs."""
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "AirflowVersion": version}
    planned["target"]["airflowVersion"] = version
    rehearsal = planned | {"mode": "rehearse"}
    known = [{"dag_id": dag, "file": f"team/{dag}.py", "paused": False} for dag in ("orders", "reports")]
    of_artifact(clients.s3(), rehearsal).write("dags.json", {"dags": known, "broken_files": []})  # type: ignore[arg-type]
    for name in ("team/orders.py", "team/reports.py"):
        clients.s3().put_object(Bucket="dags", Key=f"prod-3/dags/{name}", Body=b"")
    run = runs.run_id(rehearsal, our_dags.IMPORT)  # type: ignore[arg-type]
    result = {"run_id": run, "status": "done", "verified": True, "tables": {"dag_run": TABLE}}
    of_artifact(clients.s3(), rehearsal).write("verify.json", result)  # type: ignore[arg-type]
    of_attempt(clients.s3(), rehearsal).write("logs.json", LOGS)  # type: ignore[arg-type]
    return rehearsal


@pytest.fixture
def cli(commands: Commands) -> Commands:
    """A target without a fault."""
    commands.answers["dags", "list"] = listed("orders", "reports", our_dags.IMPORT)
    commands.answers["dags", "list-import-errors"] = broken()
    return commands


def found(migration: Plan) -> dict[str, check_results.Check]:
    return {check["name"]: check for check in check_results.read(of_attempt(clients.s3(), migration))}  # type: ignore[arg-type]


def results(migration: Plan) -> dict[str, str]:
    return {name: check["result"] for name, check in found(migration).items()}


def test_a_target_without_a_fault(migration: Plan, cli: Commands, call: Handler) -> None:
    assert call(check_target, migration=migration, waitedSeconds=0) == {
        "ready": True,
        "waitSeconds": 0,
        "waitedSeconds": 0,
    }
    assert results(migration) == {"History and logs": "pass", "Import errors": "pass", "Missing DAGs": "pass"}
    assert found(migration)["History and logs"]["message"] == (
        "10 rows of 1 table were compared: equal. Of 12 log events 9 were copied, 3 archived, 0 lost."
    )
    asked = len(cli.given)
    assert call(check_target, migration=migration, waitedSeconds=0)["ready"]
    assert len(cli.given) == asked


def test_a_broken_dag_is_named_with_file_line_and_remedy(
    migration: Plan, cli: Commands, call: Handler, version: str
) -> None:
    path = "team/orders.py" if version == "3.2.1" else "/usr/local/airflow/dags/team/orders.py"
    cli.answers["dags", "list"] = listed("reports")
    cli.answers["dags", "list-import-errors"] = broken((path, TRACE))
    assert call(check_target, migration=migration, waitedSeconds=0)["ready"]
    errors_, missing = found(migration)["Import errors"], found(migration)["Missing DAGs"]
    (place,), (dag,) = errors_["findings"], missing["findings"]
    assert (errors_["result"], missing["result"]) == ("fail", "fail")
    assert (place["file"], place["line"], place["detail"]) == ("team/orders.py", 3, TRACE.strip())
    assert place["message"] == "ModuleNotFoundError: No module named 'airflow.operators.python_operator'"
    assert f"Airflow {version} has no module" in (place["remedy"] or "")
    assert (dag["dag"], dag["file"], dag["remedy"]) == ("orders", "team/orders.py", place["remedy"])
    assert (dag["message"] or "").startswith("Its file cannot be imported: ModuleNotFoundError")
    told = call(report, migration=migration, failure={}, rollBackFailure={}, unchecked=[])
    assert (told["status"], told["verdict"]) == ("SUCCEEDED", "fail")


def test_what_the_source_cannot_import_either_is_a_warning(migration: Plan, cli: Commands, call: Handler) -> None:
    of_artifact(clients.s3(), migration).write("dags.json", {"dags": [], "broken_files": ["team/orders.py"]})  # type: ignore[arg-type]
    cli.answers["dags", "list-import-errors"] = broken(("team/orders.py", TRACE))
    call(check_target, migration=migration, waitedSeconds=0)
    check = found(migration)["Import errors"]
    assert check["result"] == "warn"
    assert "1 DAG file, 1 of which the source cannot import either" in check["message"]


def test_markup_in_an_error_stays_text(migration: Plan, cli: Commands, call: Handler) -> None:
    evil = "<script>alert('x')</script>"
    trace = f'Traceback\n  File "/usr/local/airflow/dags/team/orders.py", line 1\nValueError: {evil}'
    cli.answers["dags", "list-import-errors"] = broken(("team/orders.py", trace))
    call(check_target, migration=migration, waitedSeconds=0)
    told = call(report, migration=migration, failure={}, rollBackFailure={}, unchecked=[])
    files = {
        form: clients.s3().get_object(Bucket="exchange", Key=told["key"].replace("json", form))["Body"].read().decode()
        for form in ("json", "html", "md")
    }
    assert evil in files["json"]
    assert "<script" not in files["html"] + files["md"]
    schema = Path(contents.__file__).with_name("report.schema.json").read_text()
    Draft202012Validator(json.loads(schema)).validate(json.loads(files["json"]))


def test_parsing_is_waited_for_until_nothing_changes(migration: Plan, cli: Commands, call: Handler) -> None:
    cli.answers["dags", "list"] = listed()
    event = {"migration": migration}
    assert call(check_target, **event, waitedSeconds=0) == {"ready": False, "waitSeconds": 60, "waitedSeconds": 60}
    # Told as not checked, should this be the last look.
    assert results(migration) == {"History and logs": "pass", "Import errors": "warn", "Missing DAGs": "warn"}
    cli.answers["dags", "list"] = listed("orders")
    assert not call(check_target, **event, waitedSeconds=540)["ready"]
    assert not call(check_target, **event, waitedSeconds=1080)["ready"]
    assert call(check_target, **event, waitedSeconds=1140)["ready"]
    (dag,) = found(migration)["Missing DAGs"]["findings"]
    assert dag["dag"] == "reports"
    assert "does not define this DAG" in (dag["message"] or "")


def test_parsing_is_not_waited_for_longer_than_asked(migration: Plan, cli: Commands, call: Handler) -> None:
    cli.answers["dags", "list"] = listed()
    migration["options"]["parseTimeoutSeconds"] = 120
    assert not call(check_target, migration=migration, waitedSeconds=60)["ready"]
    assert call(check_target, migration=migration, waitedSeconds=120)["ready"]
    assert found(migration)["Missing DAGs"]["message"] == (
        "The target has not parsed 2 of the 2 DAGs that the source knows."
    )


def test_an_ignored_file_is_the_reason(migration: Plan, cli: Commands, call: Handler, version: str) -> None:
    line = "team/" if version == "3.2.1" else "team/.*"
    clients.s3().put_object(Bucket="dags", Key="prod-3/dags/.airflowignore", Body=line.encode())
    cli.answers["dags", "list"] = listed()
    assert call(check_target, migration=migration, waitedSeconds=0)["ready"]
    (dag, _) = found(migration)["Missing DAGs"]["findings"]
    assert dag["message"] == f"The line {line!r} of .airflowignore keeps its file from being read."


def test_an_artifact_that_does_not_tell_the_dags(migration: Plan, cli: Commands, call: Handler) -> None:
    key = f"artifacts/{migration['artifactId']}/dags.json"
    clients.s3().delete_object(Bucket="exchange", Key=key)
    assert call(check_target, migration=migration, waitedSeconds=0)["ready"]
    assert results(migration)["Missing DAGs"] == "warn"


def hang(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []

    def silent(*command: str) -> Answer:
        asked.append(" ".join(command))
        raise errors.TransientError("prod-3: `dags` got no answer in time.")

    monkeypatch.setattr(runs, "cli_of", lambda side, version: AirflowCli(silent, version))
    return asked


def test_a_web_server_that_hangs_is_a_warning(migration: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    migration["options"]["smokeTest"] = ["orders"]
    asked = hang(monkeypatch)
    looks = 0
    while not call(check_target, migration=migration, waitedSeconds=looks * 60)["ready"]:
        looks += 1
    # One command a look, because each takes two minutes.
    assert (looks, len(asked)) == (4, 5)
    assert results(migration) == {
        "History and logs": "pass",
        "Import errors": "warn",
        "Missing DAGs": "warn",
        "Smoke test": "warn",
    }
    assert "got no answer in time" in found(migration)["Import errors"]["message"]
    told = call(report, migration=migration, failure={}, rollBackFailure={}, unchecked=[])
    assert (told["status"], told["verdict"]) == ("SUCCEEDED", "warn")


def test_an_answer_in_between_begins_the_count_anew(
    migration: Plan, call: Handler, cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = runs.cli_of
    cli.answers["dags", "list"] = listed()
    for _ in range(2):
        hang(monkeypatch)
        for _ in range(4):
            assert not call(check_target, migration=migration, waitedSeconds=0)["ready"]
        monkeypatch.setattr(runs, "cli_of", answers)
        assert not call(check_target, migration=migration, waitedSeconds=0)["ready"]


def test_a_function_that_ends_in_its_middle_has_left_a_warning(
    migration: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*command: str) -> Answer:
        raise MemoryError

    monkeypatch.setattr(runs, "cli_of", lambda side, version: AirflowCli(die, version))
    with pytest.raises(MemoryError):
        call(check_target, migration=migration, waitedSeconds=0)
    assert results(migration) == {"History and logs": "pass", "Import errors": "warn", "Missing DAGs": "warn"}
    assert "ended before it was done" in found(migration)["Import errors"]["message"]


@pytest.mark.usefixtures("cli")
def test_a_target_that_is_gone_is_a_warning(migration: Plan, mwaa: Environments, call: Handler) -> None:
    mwaa.all["prod-3"]["Status"] = "UNAVAILABLE"
    assert call(check_target, migration=migration, waitedSeconds=0)["ready"]
    assert results(migration)["Import errors"] == "warn"


@pytest.mark.usefixtures("cli")
def test_who_has_lost_the_target_does_not_touch_it(migration: Plan, call: Handler) -> None:
    with pytest.raises(errors.LockLost):
        call(check_target, migration=migration, waitedSeconds=0, execution=f"{EXECUTION}-other")


def test_no_payload_grows_with_the_number_of_dags(migration: Plan, cli: Commands, call: Handler) -> None:
    ids = [f"{number:04d}".ljust(250, "x") for number in range(3000)]
    known = [{"dag_id": dag, "file": f"team/{dag}.py", "paused": False} for dag in ids]
    of_artifact(clients.s3(), migration).write("dags.json", {"dags": known, "broken_files": []})  # type: ignore[arg-type]
    cli.answers["dags", "list"] = listed()
    half = [(f"team/{dag}.py", TRACE) for dag in ids[::2]]
    cli.answers["dags", "list-import-errors"] = broken(*half)
    answers = [call(check_target, migration=migration, waitedSeconds=waited) for waited in (0, 600)]
    assert max(len(json.dumps(answer)) for answer in answers) < 100
    assert len(found(migration)["Import errors"]["findings"]) == 1500
    assert len(found(migration)["Missing DAGs"]["findings"]) == 3000


# The comparison of history and logs.


@pytest.mark.parametrize(
    ("verified", "logs", "groups", "result", "says"),
    [
        ({"verified": True, "tables": {"a": TABLE}}, LOGS, ["Task"], "pass", "9 were copied, 3 archived, 0 lost"),
        ({"verified": True, "tables": {"a": TABLE}}, None, [], "pass", "No logs were to be copied"),
        ({"verified": True, "tables": {"a": TABLE}}, None, ["Task"], "fail", "left no result"),
        ({"verified": True, "tables": {"a": TABLE}}, {**LOGS, "events_lost": 1}, ["Task"], "fail", "1 lost"),
        (
            {"verified": False, "tables": {"a": TABLE, "b": {**TABLE, "match": False}}},
            LOGS,
            ["Task"],
            "fail",
            "not equal in b",
        ),
        ({"verified": True, "tables": {"a": {**TABLE, "merged": 6}}}, LOGS, ["Task"], "fail", "not equal in a"),
        (None, LOGS, ["Task"], "fail", "The tables were not compared"),
    ],
)
def test_history_and_logs(verified: Any, logs: Any, groups: list[str], result: str, says: str) -> None:
    check = history_and_logs.check(verified, logs, groups)
    assert check["result"] == result
    assert says in check["message"]
    assert (check["remedy"] is None) == (result == "pass")


def test_each_table_is_told_and_what_is_not_equal_first() -> None:
    tables = {"a": TABLE, "b": {**TABLE, "match": False}}
    told = history_and_logs.check({"verified": False, "tables": tables}, LOGS, ["Task"])
    assert [one["message"] for one in told["findings"]] == ["b: 10 rows, not equal", "a: 10 rows, equal"]


# The smoke test.


class Dags:
    """A target in which DAGs run, as its CLI tells it: `outcome` and `seconds` are those of each run in it."""

    def __init__(self, version: str, before: tuple[str, int] | None, outcome: str, seconds: int) -> None:
        self.version = version
        self.given: list[str] = []
        self.paused = True
        self.refusals = 0
        self._before, self._outcome, self._seconds = before, outcome, seconds
        self._runs: dict[str, dict[str, str]] = {}

    def __call__(self, *command: str) -> Answer:
        line = shlex.join(command)
        self.given.append(line)
        if "unpause" in command or "pause" in command:
            self.paused = "pause" in command
            return Answer(True, "", "")
        if command[1] == "trigger":
            return self._trigger(command)
        if command[1] == "list-runs":
            return rows(*self._found(command))
        if command[1] == "states-for-dag-run":
            seconds = self._seconds if command[-1] in self._runs else (self._before or ("", 0))[1]
            state = self._outcome if command[-1] in self._runs else (self._before or ("", 0))[0]
            return rows({"task_id": "load", "state": state, **self._times(seconds)})
        return listed("orders", "reports") if command[1] == "list" else broken()

    def _trigger(self, command: tuple[str, ...]) -> Answer:
        if self.refusals > 0:
            self.refusals -= 1
            return Answer(False, "", "Traceback\nairflow.exceptions.DagNotFound: Dag id orders not found in DagModel\n")
        run = command[command.index("--run-id") + 1]
        if run in self._runs:
            return Answer(False, "", "Traceback\nairflow.exceptions.DagRunAlreadyExists: A run exists\n")
        self._runs[run] = {"date": command[command.index("--run-id") + 3]}
        return Answer(True, f"Created <DagRun orders @ {run}>", "")

    def _found(self, command: tuple[str, ...]) -> list[dict[str, str]]:
        if "--end-date" not in command:
            state, seconds = self._before or ("", 0)
            return [self._run("before", state, seconds)] if self._before else []
        date = command[command.index("--end-date") + 1]
        return [self._run(run, self._outcome, self._seconds) for run, at in self._runs.items() if at["date"] == date]

    def _run(self, run: str, state: str, seconds: int) -> dict[str, str]:
        times = self._times(seconds) if state in ("success", "failed") else {"start_date": "", "end_date": ""}
        return {"dag_id": "orders", "run_id": run, "state": state, **times}

    def _times(self, seconds: int) -> dict[str, str]:
        minutes, rest = divmod(seconds, 60)
        ended = f"2026-11-22T10:{minutes:02d}:{rest:02d}.000000+00:00"
        return {"start_date": "2026-11-22T10:00:00.000000+00:00", "end_date": ended}


@pytest.fixture
def smoke(migration: Plan, version: str, call: Handler, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tests one DAG to the end; what came of it, and the target."""

    def test(
        before: tuple[str, int] | None, outcome: str, seconds: int, refusals: int = 0, dag: str = "orders"
    ) -> tuple[check_results.Check, Dags]:
        target = Dags(version, before, outcome, seconds)
        target.refusals = refusals
        monkeypatch.setattr(runs, "cli_of", lambda side, at: AirflowCli(target, at))
        migration["options"] |= {"smokeTest": [dag], "smokeTestMinutes": 5}
        waited, ready = 0, False
        while not ready:
            answer = call(check_target, migration=migration, waitedSeconds=waited)
            ready, waited = answer["ready"], answer["waitedSeconds"]
        return found(migration)["Smoke test"], target

    return test


@pytest.mark.parametrize(
    ("before", "outcome", "seconds", "result", "says"),
    [
        (("success", 60), "success", 70, "pass", "success in 70 s; the source's last run: success in 60 s."),
        (None, "success", 70, "pass", "no run of the source to compare with"),
        (("success", 60), "failed", 5, "fail", "failed in 5.0 s; the source's last run: success"),
        (("failed", 60), "failed", 5, "warn", "failed in 5.0 s; the source's last run: failed"),
        (None, "failed", 5, "fail", "no run of the source"),
        (("success", 60), "success", 121, "warn", "more than 2 times its usual 60 s"),
        # Twice of little is no sign of anything.
        (("success", 2), "success", 30, "pass", "success in 30 s"),
        (("success", 60), "running", 0, "warn", "had not ended after 5 minutes"),
    ],
)
def test_a_dag_runs_once_and_is_paused_again(
    smoke: Any, before: Any, outcome: str, seconds: int, result: str, says: str
) -> None:
    check, target = smoke(before, outcome, seconds)
    (finding,) = check["findings"]
    assert (check["result"], finding["dag"]) == (result, "orders")
    assert says in finding["message"]
    assert target.paused
    assert len([line for line in target.given if "trigger" in line]) == 1


def test_states_and_durations_stand_beside_the_sources(smoke: Any) -> None:
    check, _ = smoke(("success", 60), "failed", 5)
    assert check["findings"][0]["detail"] == "load: failed in 5.0 s; source: success in 60 s"


def test_mapped_instances_are_one_task_and_new_tasks_are_told() -> None:
    def row(task: str, state: str, start: str, end: str) -> dict[str, str]:
        day = "2026-11-22T10:{}+00:00"
        return {"task_id": task, "state": state, "start_date": day.format(start), "end_date": day.format(end)}

    mapped = [row("load", "success", "00:10", "00:20"), row("load", "failed", "00:05", "00:15")]
    waiting = {"task_id": "report", "state": None, "start_date": "", "end_date": ""}
    ran = smoke_test.Run(state="failed", seconds=15.0, tasks=smoke_test._tasks([*mapped, waiting]))
    before = smoke_test.Run(state="success", seconds=9.0, tasks=smoke_test._tasks(mapped[:1]))
    assert smoke_test._by_task(ran, before).splitlines() == [
        "load: failed in 15 s; source: success in 10 s",
        "report: none; source: not there",
    ]


def test_a_scheduler_that_does_not_know_the_dag_yet_is_asked_again(smoke: Any) -> None:
    check, target = smoke(None, "success", 5, refusals=3)
    assert check["result"] == "pass"
    assert len([line for line in target.given if "trigger" in line]) == 4


def test_a_run_that_airflow_refuses_is_a_failure(smoke: Any) -> None:
    check, target = smoke(None, "success", 5, refusals=99)
    assert check["result"] == "fail"
    assert "Dag id orders not found" in check["findings"][0]["message"]
    assert target.paused


def test_a_second_try_finds_the_first_ones_run(
    migration: Plan, version: str, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Dags(version, None, "success", 5)
    triggered: list[str] = []

    def lose_the_answer(*command: str) -> Answer:
        answer = target(*command)
        if command[1] == "trigger" and not triggered:
            triggered.append("once")
            raise errors.TransientError("no answer in time")
        return answer

    monkeypatch.setattr(runs, "cli_of", lambda side, at: AirflowCli(lose_the_answer, at))
    migration["options"]["smokeTest"] = ["orders"]
    for _ in range(2):
        assert not call(check_target, migration=migration, waitedSeconds=0)["ready"]
    assert call(check_target, migration=migration, waitedSeconds=60)["ready"]
    assert results(migration)["Smoke test"] == "pass"
    assert len({line for line in target.given if "trigger" in line}) == 1


def test_nothing_is_started_when_the_time_is_over() -> None:
    target = Dags("3.2.1", None, "success", 5)
    tested = smoke_test.records(["orders", "orders"])
    cli = AirflowCli(target, "3.2.1")
    assert smoke_test.look(cli, tested, "r", lambda: None, last=True, missing=set())
    assert target.given == []
    check = smoke_test.check(tested, 1)
    assert (check["result"], len(check["findings"])) == ("fail", 1)
    assert "time was over" in (check["findings"][0]["message"] or "")


def test_a_dag_that_is_missing_is_not_tried(smoke: Any, migration: Plan) -> None:
    known = [{"dag_id": "gone", "file": "gone.py", "paused": False}]
    of_artifact(clients.s3(), migration).write("dags.json", {"dags": known, "broken_files": []})  # type: ignore[arg-type]
    check, target = smoke(None, "success", 5, dag="gone")
    assert (check["result"], check["findings"][0]["message"]) == (
        "fail",
        "It could not be run. The target has not parsed it; Missing DAGs says why.",
    )
    assert [line for line in target.given if "trigger" in line] == []


def test_no_smoke_test_unless_asked() -> None:
    options = with_defaults(document(mode="rehearse"))["options"]
    assert (options["smokeTest"], options["smokeTestMinutes"]) == ([], 30)


# Before a migration's export.


def probed(migration: Plan, broken_files: list[str], **settings: list[str]) -> Plan:
    """A migration that has created its target and has only looked at its source."""
    of_artifact(clients.s3(), migration).write("dags.json", None)  # type: ignore[arg-type]
    told = migration | {"mode": "migrate"}
    result = {
        "run_id": runs.run_id(told, our_dags.PROBE),  # type: ignore[arg-type]
        "status": "done",
        "dag_list": {
            "dags": [{"dag_id": dag, "file": f"team/{dag}.py"} for dag in ("orders", "reports")],
            "broken_files": broken_files,
        },
        "settings": settings,
    }
    of_artifact(clients.s3(), told).write("probe/export.json", result)  # type: ignore[arg-type]
    return told


@pytest.fixture
def unexported(migration: Plan) -> Plan:
    return probed(migration, [])


def test_a_migration_asks_the_target_and_knows_the_source_from_its_probe(
    unexported: Plan, cli: Commands, call: Handler
) -> None:
    assert call(check_target, migration=unexported, waitedSeconds=0)["ready"]
    assert results(unexported) == {"Import errors": "pass", "Missing DAGs": "pass"}
    assert [command[:2] for command in cli.given] == [("dags", "list-import-errors"), ("dags", "list")]


def test_a_file_that_the_source_cannot_import_is_a_warning_before_the_export_too(
    migration: Plan, cli: Commands, call: Handler
) -> None:
    unexported = probed(migration, ["team/orders.py"])
    cli.answers["dags", "list"] = listed("reports")
    cli.answers["dags", "list-import-errors"] = broken(("/usr/local/airflow/dags/team/orders.py", TRACE))
    call(check_target, migration=unexported, waitedSeconds=0)
    assert results(unexported) == {"Import errors": "warn", "Missing DAGs": "warn"}


def test_what_a_probe_does_not_tell_nobody_knows(migration: Plan, cli: Commands, call: Handler) -> None:
    unexported = probed(migration, [])
    of_artifact(clients.s3(), unexported).write("probe/export.json", {"run_id": "of another attempt"})  # type: ignore[arg-type]
    call(check_target, migration=unexported, waitedSeconds=0)
    assert results(unexported) == {"Import errors": "pass", "Missing DAGs": "warn"}


def raised(error: str) -> str:
    return f'Traceback\n  File "/usr/local/airflow/dags/team/orders.py", line 7, in <module>\n    x = get()\n{error}\n'


NO_VARIABLE = raised("KeyError: 'Variable region does not exist'")
NO_CONNECTION = raised("airflow.exceptions.AirflowNotFoundException: The conn_id `warehouse` isn't defined")


@pytest.mark.parametrize("trace", [NO_VARIABLE, NO_CONNECTION])
def test_a_file_that_asks_for_what_the_import_brings_stops_nothing(
    migration: Plan, cli: Commands, call: Handler, trace: str
) -> None:
    unexported = probed(migration, [], variable=["region"], connection=["warehouse"])
    cli.answers["dags", "list"] = listed("reports")
    cli.answers["dags", "list-import-errors"] = broken(("/usr/local/airflow/dags/team/orders.py", trace))
    assert call(check_target, migration=unexported, waitedSeconds=0)["ready"]
    assert results(unexported) == {"Import errors": "warn", "Missing DAGs": "warn"}
    assert (
        "1 for want of a variable or connection that the import brings" in found(unexported)["Import errors"]["message"]
    )
    assert found(unexported)["Import errors"]["findings"][0]["remedy"] == "Nothing: the import brings it."
    gate.require(found(unexported).values(), [])


@pytest.mark.parametrize("trace", [NO_VARIABLE, NO_CONNECTION, TRACE])
def test_what_the_import_does_not_bring_stops_a_migration(
    migration: Plan, cli: Commands, call: Handler, trace: str
) -> None:
    # The source has these from a secrets backend, say, which the target does not reach.
    unexported = probed(migration, [], variable=["area"], connection=["lake"])
    cli.answers["dags", "list"] = listed("reports")
    cli.answers["dags", "list-import-errors"] = broken(("/usr/local/airflow/dags/team/orders.py", trace))
    call(check_target, migration=unexported, waitedSeconds=0)
    assert results(unexported) == {"Import errors": "fail", "Missing DAGs": "fail"}
    with pytest.raises(errors.ChecksFailed, match=r"2 checks failed.*orders"):
        gate.require(found(unexported).values(), [])


NONE = "int() argument must be a string, a bytes-like object or a real number, not 'NoneType'"
NO_NUMBER = "invalid literal for int() with base 10: ''"


@pytest.mark.parametrize(
    ("error", "code", "result"),
    [
        (f"TypeError: {NONE}", 'RETRIES = Variable.get("retries", default_var=None)', "warn"),
        (f"ValueError: {NO_NUMBER}", "RETRIES = Variable.get('retries', default_var='')", "warn"),
        ("KeyError: 'team'", 'SETTINGS = Variable.get("retries", {}, deserialize_json=True)', "warn"),
        ("AttributeError: 'NoneType' object has no attribute 'host'", 'find("warehouse")', "warn"),
        # Another name, or one that is put together.
        (f"TypeError: {NONE}", 'RETRIES = Variable.get("tries", default_var=None)', "fail"),
        (f"TypeError: {NONE}", 'RETRIES = Variable.get(f"{TEAM}_retries", default_var=None)', "fail"),
        # What no value that is missing causes.
        ("AttributeError: 'DAG' object has no attribute 'concurrency'", 'Variable.get("retries")', "fail"),
        (
            "TypeError: DAG.__init__() got an unexpected keyword argument 'concurrency'",
            'Variable.get("retries")',
            "fail",
        ),
        ("ModuleNotFoundError: No module named 'pandas'", 'Variable.get("retries")', "fail"),
    ],
)
def test_an_error_that_a_variable_may_cause_which_is_not_there_yet(
    migration: Plan, cli: Commands, call: Handler, error: str, code: str, result: str
) -> None:
    unexported = probed(migration, [], variable=["retries"], connection=["warehouse"])
    clients.s3().put_object(Bucket="dags", Key="prod-3/dags/team/orders.py", Body=code.encode())
    cli.answers["dags", "list"] = listed("reports")
    cli.answers["dags", "list-import-errors"] = broken(("/usr/local/airflow/dags/team/orders.py", raised(error)))
    assert call(check_target, migration=unexported, waitedSeconds=0)["ready"]
    assert results(unexported) == {"Import errors": result, "Missing DAGs": result}
    told = found(unexported)["Import errors"]
    assert ("1 perhaps for want of a variable or connection" in told["message"]) == (result == "warn")
    assert ("Look again after the import" in str(told["findings"][0]["remedy"])) == (result == "warn")


@pytest.mark.parametrize("has_variables", [True, False])
def test_dags_that_a_variable_may_make_stop_nothing(
    migration: Plan, cli: Commands, call: Handler, has_variables: bool
) -> None:
    unexported = probed(migration, [], variable=["customers"] if has_variables else [])
    cli.answers["dags", "list"] = listed("orders")
    unexported["options"]["parseTimeoutSeconds"] = 60
    assert call(check_target, migration=unexported, waitedSeconds=60)["ready"]
    assert results(unexported)["Missing DAGs"] == ("warn" if has_variables else "fail")


def test_a_dag_without_a_file_stops_a_migration_whatever_the_import_brings(
    migration: Plan, cli: Commands, call: Handler
) -> None:
    unexported = probed(migration, [], variable=["customers"])
    clients.s3().delete_object(Bucket="dags", Key="prod-3/dags/team/orders.py")
    cli.answers["dags", "list"] = listed()
    unexported["options"]["parseTimeoutSeconds"] = 60
    call(check_target, migration=unexported, waitedSeconds=60)
    check = found(unexported)["Missing DAGs"]
    # What stops it comes first.
    assert (check["result"], [one["dag"] for one in check["findings"]]) == ("fail", ["orders", "reports"])
    assert "1 of which may depend on variables or connections" in check["message"]
