"""The agent: which requests it takes, in which order, what it leaves, and how it shares a migration with another."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from mwaa_migrator.agent import check, serve
from mwaa_migrator.agent.serve import FOLDER, Agent, request_name
from mwaa_migrator.artifact import lease as leases
from mwaa_migrator.artifact.lease import LEASE_SECONDS, Lease
from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.artifact.s3_storage import S3Storage
from mwaa_migrator.errors import (
    AgentRunning,
    DatabaseUnreachable,
    Refused,
    StorageUnavailable,
    StorageUnfit,
    WorkerDied,
)
from mwaa_migrator.progress import Progress

EXPORT, RESUME = "mwaa_migrator_export__id", "mwaa_migrator_resume__id"
Work = Callable[..., dict[str, Any]]


class Process:
    """A task's process: whether it was killed."""

    def __init__(self) -> None:
        self.killed = threading.Event()

    def kill(self) -> None:
        self.killed.set()


class Bench:
    """An agent in a thread, with other work than the engine's."""

    def __init__(self, place: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place = place
        self.done: list[str] = []
        self.works: dict[str, Work] = {}
        self.agents: list[tuple[Agent, threading.Thread]] = []
        monkeypatch.setattr(serve, "work_in_process", self._work)
        monkeypatch.setattr(serve, "_POLL_SECONDS", 0.02)
        monkeypatch.setattr(serve, "_RETRY_SECONDS", 0.02)

    def _work(self, task: str, storage: Any, options: dict[str, Any], run_id: str, started: Any) -> dict[str, Any]:
        self.done.append(task)
        process = Process()
        started(process)
        work = self.works.get(task)
        return {"options": options} if work is None else work(process)

    def start(self) -> Agent:
        agent = Agent(self.place, Progress())
        thread = threading.Thread(target=agent.serve, daemon=True)
        thread.start()
        self.agents.append((agent, thread))
        return agent

    def stop(self) -> None:
        for agent, thread in self.agents:
            agent.end()
            thread.join(10)
            assert not thread.is_alive()
        self.agents.clear()

    def ask(self, run_id: str, *tasks: str, **options: Any) -> None:
        conf = {"artifact": self.place.url, "options": options}
        content = {"run_id": run_id, "tasks": list(tasks), "conf": conf, "asked": f"2026-01-01T00:00:{len(tasks):02}"}
        self.place.write_json(request_name(run_id), content)

    def result(self, task: str, run_id: str = EXPORT) -> dict[str, Any]:
        """Waits for a task's result."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if self.place.size(f"{task}.json") is not None:
                found: dict[str, Any] = json.loads(self.place.read_bytes(f"{task}.json"))
                if found["run_id"] == run_id:
                    return found
            time.sleep(0.02)
        raise AssertionError(f"{task} left no result")


@pytest.fixture
def bench(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    place = open_storage(f"{bucket}/prod-3-1a2b3c")
    assert isinstance(place, S3Storage)
    made = Bench(place, monkeypatch)
    yield made
    made.stop()


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_tasks_of_a_request_are_done_once_and_leave_what_a_dags_do(bench: Bench) -> None:
    bench.ask(EXPORT, "quiesce", "drain", "export", xcoms=False)
    bench.start()
    found = bench.result("export")
    assert {name: found[name] for name in ("command", "run_id", "status", "error")} == {
        "command": "export", "run_id": EXPORT, "status": "done", "error": None,
    }  # fmt: skip
    assert (found["options"]["xcoms"], found["options"]["quiesce"]) == (False, False)
    assert found["seconds"] >= 0
    time.sleep(0.2)
    assert bench.done == ["quiesce", "drain", "export"]


def test_an_agent_that_is_started_again_goes_on(bench: Bench) -> None:
    def killed(process: Process) -> dict[str, Any]:
        process.killed.wait(20)
        raise WorkerDied("its process was ended")

    bench.works["drain"] = killed
    bench.ask(EXPORT, "quiesce", "drain", "export")
    bench.start()
    wait_until(lambda: bench.done == ["quiesce", "drain"])
    bench.stop()
    # It has ended, and of what it was ended in there is no result.
    assert bench.place.size("drain.json") is None
    del bench.works["drain"]
    bench.start()
    bench.result("export")
    assert bench.done == ["quiesce", "drain", "drain", "export"]


def test_one_that_was_killed_holds_its_lease_for_a_minute(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.5)
    assert Lease(bench.place, FOLDER, "killed").try_to_take("")
    bench.ask(EXPORT, "export")
    begun = time.monotonic()
    bench.start()
    bench.result("export")
    assert time.monotonic() - begun >= 0.5
    assert LEASE_SECONDS == 60.0


def test_two_agents(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEWAL_SECONDS", 0.05)
    bench.start()
    wait_until(lambda: leases.look(bench.place, FOLDER))
    with pytest.raises(AgentRunning, match=r"^Another agent works for prod-3-1a2b3c \(host, process, name: .+\)"):
        Agent(bench.place, Progress()).serve()


def test_one_that_has_ended_leaves_the_lease(bench: Bench) -> None:
    bench.start()
    wait_until(lambda: leases.look(bench.place, FOLDER))
    bench.stop()
    assert Lease(bench.place, FOLDER, "next").try_to_take("")


def test_putting_the_dags_back_waits_for_nothing(bench: Bench) -> None:
    def endless(process: Process) -> dict[str, Any]:
        assert process.killed.wait(20)
        raise WorkerDied("its process was ended")

    bench.works["drain"] = endless
    bench.ask(EXPORT, "quiesce", "drain", "export")
    bench.start()
    wait_until(lambda: "drain" in bench.done)
    bench.ask(RESUME, "resume")
    assert bench.result("resume", RESUME)["status"] == "done"
    assert bench.result("drain")["error"]["name"] == "WorkerDied"
    time.sleep(0.2)
    assert bench.done == ["quiesce", "drain", "resume"]


def test_what_is_asked_for_first_is_done_first(bench: Bench) -> None:
    bench.ask(EXPORT, "quiesce", "export")
    bench.ask("a later one", "export")
    bench.ask(RESUME, "resume")
    bench.start()
    wait_until(lambda: len(bench.done) == 4)
    assert bench.done[0] == "resume"


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (DatabaseUnreachable("it does not answer"), 4),
        (WorkerDied("memory was short"), 4),
        (Refused("rows that no migration takes"), 1),
    ],
)
def test_a_failure_is_left_once_it_is_final(bench: Bench, error: Exception, tries: int) -> None:
    def fail(process: Process) -> dict[str, Any]:
        assert bench.place.size("quiesce.json") is None
        raise error

    bench.works["quiesce"] = fail
    bench.ask(EXPORT, "quiesce", "export")
    bench.start()
    found = bench.result("quiesce")
    assert (found["status"], found["error"]) == ("failed", {"name": type(error).__name__, "message": str(error)})
    time.sleep(0.2)
    assert bench.done == ["quiesce"] * tries


def test_options_that_are_wrong_fail_without_a_try(bench: Bench) -> None:
    bench.ask(EXPORT, "export", xcom=False)
    bench.start()
    assert bench.result("export")["error"]["name"] == "InvalidArguments"
    assert bench.done == []


@pytest.mark.parametrize(
    "content",
    [
        b"no JSON",
        b"[]",
        b'{"run_id": "x", "tasks": ["export"], "conf": {}, "asked": ""}',
        b'{"run_id": "x", "tasks": ["import"], "conf": {"artifact": "PLACE"}, "asked": ""}',
        b'{"run_id": "x", "tasks": [], "conf": {"artifact": "PLACE"}, "asked": ""}',
        b'{"run_id": "x", "tasks": ["export"], "conf": {"artifact": "s3://elsewhere/x"}, "asked": ""}',
    ],
)
def test_what_is_no_request_for_an_agent_is_left_alone(bench: Bench, content: bytes) -> None:
    content = content.replace(b"PLACE", bench.place.url.encode())
    bench.place.write_bytes(request_name("0"), content)
    bench.ask(EXPORT, "export")
    bench.start()
    bench.result("export")
    assert bench.done == ["export"]


def test_a_network_that_is_gone_for_a_while(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease may be another's by then: it is taken again."""
    monkeypatch.setattr(leases, "RENEWAL_SECONDS", 0.02)
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.1)
    bench.start()
    wait_until(lambda: leases.look(bench.place, FOLDER))
    gone = {"names", "read_tagged", "write_over", "size"}
    with monkeypatch.context() as patch:

        def refuse(*_: Any) -> Any:
            raise StorageUnavailable("no network")

        for name in gone:
            patch.setattr(bench.place, name, refuse)
        time.sleep(0.5)
    bench.ask(EXPORT, "export")
    assert bench.result("export")["status"] == "done"


def test_conditions_are_in_headers_for_an_old_boto3(bench: Bench) -> None:
    place = bench.place
    first = place.write_over("x", b"1", None)
    assert first is not None
    assert place.write_over("x", b"2", None) is None
    second = place.write_over("x", b"2", first)
    assert second is not None
    assert place.write_over("x", b"3", first) is None
    place.write_bytes("x", b"without a condition")
    body = boto3.client("s3").get_object(Bucket="exchange", Key="some/prefix/prod-3-1a2b3c/x")["Body"].read()
    assert body == b"without a condition"


def test_the_names_in_a_folder(bench: Bench) -> None:
    for name in ("agent/b", "agent/a/c", "agents/d", "e"):
        bench.place.write_bytes(name, b"x")
    assert bench.place.names("agent") == ["agent/a/c", "agent/b"]


def test_a_storage_that_takes_every_write_is_unfit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check.look_at_place(bench.place) == {"rights": "reads, writes and lists"}
    monkeypatch.setattr(S3Storage, "write_over", lambda *_: "tag")
    with pytest.raises(StorageUnfit, match="does not take writes under a condition"):
        check.look_at_place(bench.place)
