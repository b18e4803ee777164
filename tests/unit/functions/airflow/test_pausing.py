"""Many DAGs, in as few commands as the environment takes."""

from __future__ import annotations

import pytest

from migration import errors
from migration.airflow import pausing
from migration.airflow.cli import AirflowCli
from migration.airflow.endpoint import Answer


class WebServer:
    """Pauses nothing: counts commands, and refuses an expression, or each line that is longer than so many bytes."""

    def __init__(self, refusal: Answer | errors.MigrationError | None = None, longest: int = 1_000_000) -> None:
        self.commands: list[tuple[str, ...]] = []
        self._refusal, self._longest = refusal, longest

    def __call__(self, *command: str) -> Answer:
        self.commands.append(command)
        if "--treat-dag-id-as-regex" in command and self._refusal is not None:
            if isinstance(self._refusal, Answer):
                return self._refusal
            raise self._refusal
        if len(" ".join(command).encode()) > self._longest:
            return Answer(False, "", "line too long")
        return Answer(True, "paused", "")


def pause(server: WebServer, dags: list[str], version: str = "3.2.1") -> int:
    return pausing.set_paused(AirflowCli(server, version), dags, paused=True, done=0, seconds=60.0)


DAGS = [f"dag_{number}" for number in range(150)]


@pytest.mark.parametrize(
    "refusal",
    [
        Answer(False, "", "unrecognized arguments: --treat-dag-id-as-regex"),
        errors.CliAnswerInvalid("the CLI endpoint answered 413 with 12 bytes"),
        errors.CliRefused("the CLI endpoint answered 403"),
        # A load balancer's answer to a line that is too long for it.
        errors.TransientError("the CLI endpoint answered 502"),
    ],
)
def test_where_an_expression_is_refused_each_dag_is_a_command(refusal: Answer | errors.MigrationError) -> None:
    server = WebServer(refusal)
    assert pause(server, DAGS) == 150
    # It is not tried again.
    assert sum("--treat-dag-id-as-regex" in command for command in server.commands) == 1
    assert server.commands[1:] == [("dags", "pause", dag) for dag in DAGS]


def test_a_web_server_that_restarts_is_no_refusal() -> None:
    class Restarting(WebServer):
        def __call__(self, *command: str) -> Answer:
            raise errors.TransientError("the CLI endpoint answered 503")

    # The state machine tries again.
    with pytest.raises(errors.TransientError):
        pause(Restarting(), DAGS)


def test_what_is_refused_for_one_dag_is_a_failure() -> None:
    with pytest.raises(errors.CutOverFailed, match=r"1 DAG from 'dag_0' on could not be paused .*: line too long"):
        pause(WebServer(Answer(False, "", "no"), longest=5), DAGS)


def test_a_command_names_a_hundred_dags_at_most() -> None:
    server = WebServer()
    assert pause(server, DAGS) == 150
    assert [command[-1].count("|") + 1 for command in server.commands] == [100, 50]


@pytest.mark.parametrize("name", ["d" * 245, "\u00e9" * 120, ".-" * 80])
def test_a_command_has_few_bytes_however_long_the_ids_are(name: str) -> None:
    server = WebServer()
    dags = [f"{name}{number}" for number in range(100)]
    assert pause(server, dags) == 100
    assert all(len(command[-1].encode()) <= 8_000 for command in server.commands)
    assert len(server.commands) < 8


def test_an_id_longer_than_a_command_goes_alone() -> None:
    server = WebServer()
    assert pause(server, ["x" * 9_000, "y"]) == 2
    assert len(server.commands) == 2


def test_a_plan_tells_how_long_single_commands_take() -> None:
    assert pausing.duration_note("2.9.2", 300).endswith(
        "all of the source's 300 DAGs are active, the cut-over takes 25 minutes."
    )
    assert "each active DAG adds that much" in pausing.duration_note("2.9.2", None)
