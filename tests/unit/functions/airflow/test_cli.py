"""Command lines and outputs of each Airflow line; that the real CLIs take them is tested with real installations."""

from __future__ import annotations

import base64
import json
import shlex
import socket
from typing import Any

import pytest
import urllib3

from migration import errors
from migration.airflow import endpoint
from migration.airflow.cli import AirflowCli, RunState, json_of, run_state_of
from migration.airflow.endpoint import Answer, Endpoint
from tests.unit.functions.conftest import Environments

DATE = "2026-11-22T10:00:00+00:00"
NOTHING = Answer(False, "", "")


class Recorder:
    """Runs nothing: keeps the commands, and answers what a test says, or tells what it has got."""

    def __init__(self, *answers: Answer) -> None:
        self.commands: list[str] = []
        self._answers = list(answers)

    def __call__(self, *command: str) -> Answer:
        self.commands.append(shlex.join(command))
        return self._answers.pop(0) if self._answers else Answer(True, self.commands[-1], "")


@pytest.mark.parametrize(
    ("version", "command"),
    [
        ("1.10.12", f'trigger_dag --run_id r --exec_date {DATE} --conf \'{{"a": "b"}}\' d'),
        ("2.0.2", f'dags trigger --run-id r --exec-date {DATE} --conf \'{{"a": "b"}}\' d'),
        ("2.2.2", 'dags trigger --run-id r --conf \'{"a": "b"}\' d'),
        ("2.11.2", 'dags trigger --run-id r --conf \'{"a": "b"}\' d'),
        ("3.0.6", f'dags trigger --run-id r --logical-date {DATE} --conf \'{{"a": "b"}}\' d'),
        ("3.3.1", f'dags trigger --run-id r --logical-date {DATE} --conf \'{{"a": "b"}}\' d'),
    ],
)
def test_trigger(version: str, command: str) -> None:
    run = Recorder()
    assert AirflowCli(run, version).trigger("d", "r", DATE, {"a": "b"}) is True
    assert run.commands == [command]


def test_a_run_that_is_there_is_not_made_again() -> None:
    traceback = "Traceback (most recent call last):\n  ...\nairflow.exceptions.DagRunAlreadyExists: Run id r exists\n"
    assert AirflowCli(Recorder(Answer(False, "", traceback)), "2.5.1").trigger("d", "r", DATE, {}) is False


EXISTS = "airflow.exceptions.DagRunAlreadyExists: Run id r exists\n"


@pytest.mark.parametrize("succeeded", [True, False])
def test_that_a_run_is_there_wins_over_status_and_output(succeeded: bool) -> None:
    answer = Answer(succeeded, "r\n", f"Traceback (most recent call last):\n  ...\n{EXISTS}")
    assert AirflowCli(Recorder(answer), "2.11.2").trigger("d", "r", DATE, {}) is False


#: As Airflow 2.11 and 3.x print a run where there is no terminal.
TABLE = """
conf               | dag_id            | dag_run_id        | data_interval_end | run_type
===================+===================+===================+===================+=========
{'artifact':       | mwaa_migrator_exp | mwaa_migrator_exp | 2026-11-22T10:00: | manual
's3://exchange-buc | ort               | ort__prod-3-01234 | 00+00:00          |
ket/migrations'}   |                   | 56789             |                   |
"""


@pytest.mark.parametrize(
    "printed",
    [
        TABLE,
        "Created <DagRun d @ 2026-11-22: mwaa_migrator_export__prod-3-0123456789, externally triggered: True>\n",
        "[2026-11-22 10:00:00,000] {cli.py:238} INFO - Created <DagRun d @ x: mwaa_migrator_export__prod-3-0123456789>",
        '[{"dag_run_id": "mwaa_migrator_export__prod-3-0123456789"}]',
    ],
)
def test_a_run_that_was_made_is_seen_in_the_output(printed: str) -> None:
    made = AirflowCli(Recorder(Answer(True, printed, "a warning")), "3.2.1")
    assert made.trigger("d", "mwaa_migrator_export__prod-3-0123456789", DATE, {}) is True
    with pytest.raises(errors.DagRunRefused, match="a warning"):
        AirflowCli(Recorder(Answer(True, printed, "a warning")), "3.2.1").trigger("d", "another", DATE, {})


def test_a_refused_run_says_why() -> None:
    refused = Answer(False, "", "Traceback\nairflow.exceptions.DagNotFound: Dag id d not found in DagModel\n")
    with pytest.raises(errors.DagRunRefused, match="Dag id d not found in DagModel"):
        AirflowCli(Recorder(refused), "2.5.1").trigger("d", "r", DATE, {})


@pytest.mark.parametrize("value", ["it's", "$(reboot)", "a; b", '"', "new\nline", "`x`", "\\"])
def test_conf_reaches_airflow_as_it_is(value: str) -> None:
    run = Recorder()
    AirflowCli(run, "2.11.2").trigger("d", "r", DATE, {"dags": value})
    words = shlex.split(run.commands[0])
    assert json.loads(words[words.index("--conf") + 1]) == {"dags": value}


@pytest.mark.parametrize(
    ("version", "command"),
    [
        ("1.10.12", "unpause d"),
        ("2.2.2", "dags unpause d"),
        ("2.5.1", "dags state d 1970-01-01T00:00:00+00:00"),
        ("3.2.1", "dags state d 1970-01-01T00:00:00+00:00"),
    ],
)
def test_find_or_unpause(version: str, command: str) -> None:
    run = Recorder(Answer(True, "None\n", ""), NOTHING)
    assert AirflowCli(run, version).find_or_unpause("d")
    assert not AirflowCli(run, version).find_or_unpause("d")
    assert run.commands[0] == command


def test_an_endpoint_that_hides_the_exit_code_does_not_make_a_dag_known() -> None:
    silent = Answer(True, "\n", "DAG: d does not exist in 'dag' table")
    assert not AirflowCli(Recorder(silent), "2.10.3").find_or_unpause("d")


@pytest.mark.parametrize(
    ("version", "run_or_date"), [("2.0.2", DATE), ("2.1.4", DATE), ("2.2.2", "r"), ("2.11.2", "r")]
)
def test_run_state_asks_for_run_id_or_execution_date(version: str, run_or_date: str) -> None:
    run = Recorder(Answer(True, '[{"task_id": "export", "state": "running"}]', ""))
    assert AirflowCli(run, version).run_state("d", "r", DATE) == RunState("running", {"export": "running"})
    assert run.commands == [f"tasks states-for-dag-run --output json d {run_or_date}"]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Answer(True, "[2026-11-22 10:00:00,000] {dagbag.py:417} INFO - Filling\nsuccess\n", ""), "success"),
        (Answer(True, "failed", ""), "failed"),
        (Answer(True, "None", ""), None),
        (NOTHING, None),
    ],
)
def test_run_state_of_1_10_parses_our_file_only(answer: Answer, state: str | None) -> None:
    run = Recorder(answer)
    assert AirflowCli(run, "1.10.12").run_state("d", "r", DATE).state == state
    assert run.commands == [f"dag_state --subdir DAGS_FOLDER/d.py d {DATE}"]


@pytest.mark.parametrize(
    ("version", "trigger", "runs"),
    [
        ("2.11.2", "dags trigger --run-id r --exec-date", "dags list-runs --output json --start-date {0} --dag-id d"),
        ("3.2.1", "dags trigger --run-id r --logical-date", "dags list-runs --output json --start-date {0} d"),
    ],
)
def test_a_run_is_found_again_by_its_date(version: str, trigger: str, runs: str) -> None:
    found = Answer(True, '[{"dag_id": "d", "run_id": "r", "state": "queued", "end_date": ""}]', "")
    run = Recorder(Answer(True, "Created <DagRun d @ r, externally triggered: True>", ""), found, found)
    cli = AirflowCli(run, version)
    cli.trigger("d", "r", DATE, {}, dated=True)
    assert cli.runs("d", since=DATE)[0]["run_id"] == "r"
    cli.tasks("d", "r")
    assert run.commands == [
        f"{trigger} {DATE} --conf '{{}}' d",
        runs.format(DATE),
        "tasks states-for-dag-run --output json d r",
    ]


def test_the_tasks_of_a_run_are_found_by_its_date_before_2_2() -> None:
    run = Recorder(Answer(True, "[]", ""))
    assert AirflowCli(run, "2.0.2").tasks("d", "r", DATE) == []
    assert run.commands == [f"tasks states-for-dag-run --output json d {DATE}"]


@pytest.mark.parametrize("answer", [NOTHING, Answer(True, "", ""), Answer(False, "[]", "DAG: d does not exist")])
def test_rows_that_cannot_be_read_are_no_empty_list(answer: Answer) -> None:
    with pytest.raises(errors.CommandFailed, match="`airflow dags list-runs` failed"):
        AirflowCli(Recorder(answer), "2.11.2").runs("d")


@pytest.mark.parametrize(
    ("tasks", "state"),
    [
        ({}, None),
        ({"a": "success", "b": "success"}, "success"),
        ({"a": "success", "b": "skipped"}, "success"),
        ({"a": "failed", "b": "upstream_failed"}, "failed"),
        ({"a": "failed", "b": "none"}, "running"),
        ({"a": "up_for_retry", "b": "none"}, "running"),
        ({"a": "none"}, "running"),
        ({"a": "success", "b": "queued"}, "running"),
    ],
)
def test_run_state_of(tasks: dict[str, str], state: str | None) -> None:
    assert run_state_of(tasks).state == state


@pytest.mark.parametrize(
    ("stdout", "rows"),
    [
        ('[{"a": 1}]', [{"a": 1}]),
        ('[2026-11-22 10:00] INFO - [x]\n[{"a": 1}]\nbye', [{"a": 1}]),
        ("noise\n[]\n", []),
        ('[\n  {"a": 1}\n]', [{"a": 1}]),
        ("No data found", None),
        ("", None),
    ],
)
def test_json_of(stdout: str, rows: Any) -> None:
    assert json_of(stdout) == rows


def test_of_1_10_the_deletion_tells_whether_there_were_rows() -> None:
    """Its other commands look into the file, which is gone by then."""
    run = Recorder(Answer(True, "", ""), NOTHING)
    assert AirflowCli(run, "1.10.12").delete_dag("d")
    assert not AirflowCli(run, "1.10.12").delete_dag("d")
    assert run.commands == ["delete_dag --yes d"] * 2


def test_an_environment_that_is_gone_has_a_name(mwaa: Environments) -> None:
    def gone(Name: str) -> None:  # noqa: N803
        raise mwaa.error("CreateCliToken", "ResourceNotFoundException")

    mwaa.create_cli_token = gone  # type: ignore[attr-defined]
    with pytest.raises(errors.EnvironmentUnavailable, match="prod: "):
        Endpoint(mwaa, "prod")("version")  # type: ignore[arg-type]


def test_many_dags_are_one_command_since_2_10() -> None:
    run = Recorder()
    AirflowCli(run, "3.2.1").set_paused(["a.b", "c d", "x'; rm"], paused=False)
    (command,) = run.commands
    words = shlex.split(command)
    assert words[:4] == ["dags", "unpause", "--treat-dag-id-as-regex", "--yes"]
    import re

    assert re.match(words[4], "a.b")
    assert re.match(words[4], "x'; rm")
    assert not re.match(words[4], "axb")
    assert not re.match(words[4], "a.bc")


def test_one_dag_is_one_command_before() -> None:
    run = Recorder()
    AirflowCli(run, "2.9.2").set_paused(["a"], paused=True)
    assert run.commands == ["dags pause a"]


def answer(stdout: str, stderr: str = "") -> bytes:
    return json.dumps(
        {name: base64.b64encode(text.encode()).decode() for name, text in (("stdout", stdout), ("stderr", stderr))}
    ).encode()


def read(status: int, body: bytes) -> Answer:
    return Endpoint(None, "prod")._read(status, body)  # type: ignore[arg-type]  # what is read needs no client


def test_the_endpoints_answer_is_decoded() -> None:
    assert read(200, answer("grün\n")) == Answer(True, "grün\n", "")
    assert read(400, answer("", "Traceback")) == Answer(False, "", "Traceback")


@pytest.mark.parametrize(
    ("stdout", "stderr", "succeeded"),
    [
        ("Dag: d, paused: False\n", "", True),
        ("Dag: d, paused: False\n", "Traceback (most recent call last):\n  of a plugin\nImportError: x\n", True),
        ("[2026-11-22 10:00:00,000] {cli.py:238} INFO - Created <DagRun>\n", "a warning", True),
        ("[]\n", "a warning", True),
        ("", "", True),
        ("", "Dag id d not found in DagModel\n", False),
        ("[2026-11-22T10:00:00.000+0000] {plugins.py:1} INFO - x\n\n", "Traceback\nValueError: x\n", False),
    ],
)
def test_an_answer_of_200_may_tell_a_failure(stdout: str, stderr: str, succeeded: bool) -> None:
    assert read(200, answer(stdout, stderr)).succeeded is succeeded
    assert not read(400, answer(stdout, stderr)).succeeded


class Redirected:
    """A web server that redirects each of so many requests, and then answers."""

    def __init__(self, location: str, times: int = 1) -> None:
        self.requests: list[tuple[str, bytes, str]] = []
        self._location, self._times = location, times

    def request(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> urllib3.HTTPResponse:
        assert method == "POST"
        self.requests.append((url, body, headers["Authorization"]))
        if len(self.requests) > self._times:
            return urllib3.HTTPResponse(answer("done"), status=200, preload_content=True)
        return urllib3.HTTPResponse(b"", {"Location": self._location}, status=307)


@pytest.mark.parametrize(
    "location",
    ["/aws_mwaa/cli/", "https://127.0.0.1:8443/aws_mwaa/cli/", "http://127.0.0.1/aws_mwaa/cli/"],
)
def test_a_redirect_to_the_slash_is_followed(monkeypatch: pytest.MonkeyPatch, location: str) -> None:
    server = Redirected(location)
    monkeypatch.setattr(endpoint, "_pool", lambda: server)
    assert Endpoint(Tokens(8443), "prod")("dags", "state").stdout == "done"  # type: ignore[arg-type]
    url = "https://127.0.0.1:8443/aws_mwaa/cli"
    assert server.requests == [(f"{url}{end}", b"dags state", "Bearer token") for end in ("", "/")]


@pytest.mark.parametrize(
    ("location", "times"),
    [
        ("https://elsewhere.example.org/aws_mwaa/cli/", 1),
        ("//elsewhere.example.org/aws_mwaa/cli/", 1),
        ("https://127.0.0.1:8444/aws_mwaa/cli/", 1),
        ("https://127.0.0.1:8443@elsewhere.example.org/aws_mwaa/cli/", 1),
        ("ftp://127.0.0.1:8443/aws_mwaa/cli/", 1),
        ("/login", 1),
        ("", 1),
        ("/aws_mwaa/cli/", 2),
    ],
)
def test_the_token_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch, location: str, times: int) -> None:
    server = Redirected(location, times)
    monkeypatch.setattr(endpoint, "_pool", lambda: server)
    with pytest.raises(errors.CliAnswerInvalid, match="redirects to another place") as refused:
        Endpoint(Tokens(8443), "prod")("version")  # type: ignore[arg-type]
    assert len(server.requests) == times
    assert "Bearer" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, b"Forbidden", errors.CliRefused),
        (401, b"", errors.CliRefused),
        (429, b"", errors.TransientError),
        (502, b"<html>", errors.TransientError),
        (200, b"<html>", errors.CliAnswerInvalid),
        (200, b"", errors.CliAnswerInvalid),
        (200, b"[]", errors.CliAnswerInvalid),
        (200, b'{"stdout": "YW"}', errors.CliAnswerInvalid),
        (200, b'{"stdout": "YQ=", "stderr": ""}', errors.CliAnswerInvalid),
        (200, b'{"stdout": null, "stderr": null}', errors.CliAnswerInvalid),
    ],
)
def test_what_is_no_answer_has_a_name(status: int, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error, match="prod"):
        read(status, body)


class Tokens:
    """Amazon MWAA as far as it gives tokens for a web server."""

    def __init__(self, port: int) -> None:
        self._host = f"127.0.0.1:{port}"

    def create_cli_token(self, Name: str) -> dict[str, str]:  # noqa: N803
        return {"WebServerHostname": self._host, "CliToken": "token"}


@pytest.mark.parametrize(("listens", "error"), [(True, errors.TransientError), (False, errors.CliUnreachable)])
def test_a_web_server_that_hangs_or_is_not_there(
    monkeypatch: pytest.MonkeyPatch, listens: bool, error: type[Exception]
) -> None:
    timeout = urllib3.Timeout(connect=0.2, read=0.2)
    monkeypatch.setattr(endpoint, "_pool", lambda: urllib3.PoolManager(timeout=timeout, retries=False))
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        run = Endpoint(Tokens(server.getsockname()[1]), "prod")  # type: ignore[arg-type]
        if not listens:
            server.close()
        with pytest.raises(error, match="prod: "):
            run("version")
