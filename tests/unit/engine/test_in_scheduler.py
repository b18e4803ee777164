"""The way in through a scheduler: who holds the lease, what a task waits for, and for whom nothing is done."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from mwaa_migrator.artifact import lease
from mwaa_migrator.artifact.lease import LEASE_SECONDS, Lease
from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.artifact.s3_storage import S3Storage
from mwaa_migrator.dag_tasks import serve_run, tasks
from mwaa_migrator.errors import ArtifactDamaged, DatabaseOutOfReach, StorageUnavailable, WorkerDied
from mwaa_migrator.in_scheduler import asking
from mwaa_migrator.in_scheduler.asking import FOLDER, answer_name, request_name, work_in_scheduler

RUN = "mwaa_migrator_import__id"
PLUGIN = Path(asking.__file__).with_name("mwaa_migrator_plugin.py")


@pytest.fixture
def place(bucket: str) -> S3Storage:
    storage = open_storage(f"{bucket}/artifact")
    assert isinstance(storage, S3Storage)
    return storage


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_only_one_of_two_has_the_lease_until_it_leaves_it(place: S3Storage) -> None:
    first, second = Lease(place, FOLDER, "first"), Lease(place, FOLDER, "second")
    assert first.try_to_take("a")
    assert not second.try_to_take("a")
    assert first.renew("a")
    first.release()
    assert second.try_to_take("b")
    assert not first.renew("a")
    # Whoever has lost it takes nothing away by leaving it.
    first.release()
    seen = lease.look(place, FOLDER)
    assert seen is not None
    assert (seen.holder, seen.request) == ("second", "b")


def test_both_see_it_free_and_one_is_quicker(place: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Lease(place, FOLDER, "first"), Lease(place, FOLDER, "second")
    write = place.write_over

    def overtaken(name: str, content: bytes, tag: str | None) -> str | None:
        monkeypatch.setattr(place, "write_over", write)
        assert first.try_to_take("a")
        return write(name, content, tag)

    monkeypatch.setattr(place, "write_over", overtaken)
    assert not second.try_to_take("a")
    assert first.renew("a")


def test_a_lease_is_stale_for_whoever_has_seen_it_unchanged_for_long(place: S3Storage) -> None:
    clock = Clock()
    first, second = Lease(place, FOLDER, "first"), Lease(place, FOLDER, "second", clock)
    assert first.try_to_take("a")
    assert not second.try_to_take("a")
    clock.now = LEASE_SECONDS - 1
    assert not second.try_to_take("a")
    # A renewal makes it fresh, whatever clock the holder has.
    assert first.renew("a")
    clock.now = 2 * LEASE_SECONDS - 2
    assert not second.try_to_take("a")
    clock.now = 3 * LEASE_SECONDS
    assert second.try_to_take("a")
    assert not first.renew("a")


@pytest.fixture
def passing_time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Waiting takes no time, and moves the clock."""
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    return clock


def ask(place: S3Storage, clock: Clock) -> dict[str, Any]:
    return dict(work_in_scheduler("import", place, {"jobs": 2}, RUN, clock))


def act(place: S3Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch, *steps: Callable[[str], None]) -> None:
    """While the task waits, these happen, each with the id of its request."""
    left = list(steps)

    def sleep(seconds: float) -> None:
        clock.now += seconds
        request = asking.read_object(place, request_name("import"))
        assert request is not None
        if left:
            left.pop(0)(request["request"])

    monkeypatch.setattr(time, "sleep", sleep)


def test_a_task_gets_the_answer_to_its_own_request(
    place: S3Storage, passing_time: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Lease(place, FOLDER, "scheduler")

    def take(request: str) -> None:
        assert other.try_to_take(request)
        place.write_json(answer_name("import"), {"request": "an earlier one", "result": {"rows": 1}})

    act(
        place,
        passing_time,
        monkeypatch,
        take,
        lambda request: place.write_json(answer_name("import"), {"request": request, "result": {"rows": 2}}),
    )
    assert ask(place, passing_time) == {"rows": 2}
    request = asking.read_object(place, request_name("import"))
    assert request is not None
    assert (request["task"], request["options"], request["run_id"]) == ("import", {"jobs": 2}, RUN)


def test_an_error_comes_back_under_its_name(
    place: S3Storage, passing_time: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = {"name": "ArtifactDamaged", "message": "part 3 of dag_run"}
    act(
        place,
        passing_time,
        monkeypatch,
        lambda request: place.write_json(answer_name("import"), {"request": request, "error": error}),
    )
    with pytest.raises(ArtifactDamaged, match="part 3 of dag_run"):
        ask(place, passing_time)


def test_nobody_takes_the_work(place: S3Storage, passing_time: Clock) -> None:
    with pytest.raises(DatabaseOutOfReach, match=r"No scheduler .* within 300 s, .* mwaa_migrator_plugin"):
        ask(place, passing_time)
    assert passing_time.now == pytest.approx(asking.TAKEN_WITHIN_SECONDS, abs=5)


def test_whoever_has_taken_it_is_silent(place: S3Storage, passing_time: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(request: str) -> None:
        assert Lease(place, FOLDER, "one").try_to_take(request)

    act(place, passing_time, monkeypatch, take)
    with pytest.raises(WorkerDied, match="has been silent for 300 s"):
        ask(place, passing_time)


def test_a_directory_is_no_place_for_requests(tmp_path: Path) -> None:
    with pytest.raises(DatabaseOutOfReach, match="artifacts in S3 only"):
        work_in_scheduler("import", open_storage(str(tmp_path / "artifact")), {}, RUN)


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks whose work was done, instead of the work."""
    done: list[str] = []

    def work(task: str, storage: Any, options: dict[str, Any], run_id: str) -> dict[str, Any]:
        done.append(task)
        return {"options": options, "run_id": run_id}

    monkeypatch.setattr(serve_run, "work_in_process", work)
    monkeypatch.setattr(serve_run, "_POLL_SECONDS", 0.0)
    return done


def rounds(number: int) -> Callable[[], bool]:
    """A run that has ended after so many looks at its requests."""
    looks = iter([False] * number)
    return lambda: next(looks, True)


def request(place: S3Storage, task: str, run_id: str = RUN, name: str = "a request") -> None:
    content = {"request": name, "task": task, "options": {"jobs": 1}, "run_id": run_id}
    place.write_json(request_name(task), content)


def test_each_request_of_the_run_is_answered_once(place: S3Storage, worked: list[str]) -> None:
    request(place, "import")
    request(place, "verify")
    serve_run.serve(place, RUN, rounds(3))
    assert worked == ["import", "verify"]
    assert asking.read_object(place, answer_name("verify")) == {
        "request": "a request",
        "result": {"options": {"jobs": 1}, "run_id": RUN},
    }
    request(place, "verify", name="another try of the task")
    serve_run.serve(place, RUN, rounds(1))
    assert worked == ["import", "verify", "verify"]


def test_nothing_is_done_for_another_run_or_another_task(place: S3Storage, worked: list[str]) -> None:
    request(place, "import", run_id="somebody else's")
    request(place, "export")
    serve_run.serve(place, RUN, rounds(2))
    assert worked == []
    assert place.size(lease.name_in(FOLDER)) is None


def test_it_ends_when_the_cut_over_is_done(bucket: str, worked: list[str]) -> None:
    """The access to the artifact is revoked soon, and may be before Airflow has ended the run."""
    place = open_storage(f"{bucket}/artifact/cut-over")
    assert isinstance(place, S3Storage)
    request(place, "import")
    place.write_json("import.json", {"run_id": RUN, "status": "done"})
    serve_run.serve(place, RUN, lambda: False)
    assert worked == []
    place.write_json("import.json", {"run_id": "of another attempt", "status": "done"})
    serve_run.serve(place, RUN, rounds(1))
    assert worked == ["import"]


def test_nothing_is_done_where_another_has_the_lease(place: S3Storage, worked: list[str]) -> None:
    assert Lease(place, FOLDER, "another").try_to_take("a request")
    request(place, "import")
    serve_run.serve(place, RUN, rounds(2))
    assert worked == []


def test_whoever_has_lost_the_lease_in_the_middle_ends_and_answers_nothing(
    place: S3Storage, worked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()
    clock = Clock()
    another = Lease(place, FOLDER, "another", clock)

    def work(*arguments: Any) -> dict[str, Any]:
        assert not another.try_to_take("a request")
        # A renewal may come between two looks.
        while not another.try_to_take("a request"):
            clock.now += LEASE_SECONDS
        assert ended.wait(10)
        return {}

    def end(code: int) -> None:
        assert code == 1
        ended.set()

    monkeypatch.setattr(serve_run, "work_in_process", work)
    monkeypatch.setattr(lease, "RENEWAL_SECONDS", 0.05)
    monkeypatch.setattr(os, "_exit", end)
    request(place, "import")
    serve_run.serve(place, RUN, rounds(1))
    assert place.size(answer_name("import")) is None
    seen = lease.look(place, FOLDER)
    assert seen is not None
    assert seen.holder == "another"


def test_a_place_that_gives_no_access_is_asked_again(
    place: S3Storage, worked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    request(place, "import")
    read = place.read_tagged
    refusals = iter([StorageUnavailable("not yet")] * 2)

    def refused(name: str) -> Any:
        for refusal in refusals:
            raise refusal
        return read(name)

    monkeypatch.setattr(place, "read_tagged", refused)
    serve_run.serve(place, RUN, rounds(3))
    assert worked == ["import"]


@pytest.mark.parametrize(
    ("way_in", "worker", "asked"),
    [
        ("worker", DatabaseOutOfReach, False),
        ("auto", DatabaseOutOfReach, True),
        ("auto", None, False),
        ("auto", WorkerDied, False),
        ("plugin", None, True),
    ],
)
def test_when_a_task_asks_a_scheduler(
    way_in: str, worker: type[Exception] | None, asked: bool, directory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_process(*arguments: Any) -> dict[str, str]:
        if worker is not None:
            raise worker("the worker")
        return {"by": "worker"}

    monkeypatch.setattr(tasks, "work_in_process", in_process)
    monkeypatch.setattr(tasks, "work_in_scheduler", lambda *arguments: {"by": "plugin"})
    if worker is not None and not asked:
        with pytest.raises(worker):
            tasks._work_kept_out("import", directory, {"wayIn": way_in}, RUN)
    else:
        found = tasks._work_kept_out("import", directory, {"wayIn": way_in}, RUN)
        assert found == {"by": "plugin" if asked else "worker"}


def test_where_neither_leads_in_both_are_told(directory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(message: str) -> Callable[..., Any]:
        def work(*arguments: Any) -> Any:
            raise DatabaseOutOfReach(message)

        return work

    monkeypatch.setattr(tasks, "work_in_process", fail("No way leads there."))
    monkeypatch.setattr(tasks, "work_in_scheduler", fail("No scheduler has taken it."))
    with pytest.raises(DatabaseOutOfReach, match=r"No way leads there\. No scheduler has taken it\."):
        tasks._work_kept_out("import", directory, {"wayIn": "auto"}, RUN)


class Started(SimpleNamespace):
    """A process that the plugin has started: its arguments and its environment."""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The plugin in a plugins folder of a scheduler, without Airflow."""
    import zipfile

    listeners, manager = ModuleType("airflow.listeners"), ModuleType("airflow.plugins_manager")
    listeners.hookimpl = lambda hook: hook  # type: ignore[attr-defined]
    manager.AirflowPlugin = object  # type: ignore[attr-defined]
    for name, module in (("airflow", ModuleType("airflow")), ("airflow.listeners", listeners)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "airflow.plugins_manager", manager)
    file = tmp_path / PLUGIN.name
    file.write_bytes(PLUGIN.read_bytes())
    (tmp_path / "mwaa_migrator_plugin.json").write_text(json.dumps({"artifacts": "s3://exchange/artifacts/"}))
    with zipfile.ZipFile(tmp_path / "mwaa_migrator_engine.zip", "w") as archive:
        archive.writestr("mwaa_migrator/__init__.py", "")
    spec = importlib.util.spec_from_file_location("mwaa_migrator_plugin", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "mwaa_migrator_plugin", module)
    spec.loader.exec_module(module)
    started: list[Started] = []

    def popen(arguments: list[str], **options: Any) -> Started:
        started.append(Started(arguments=arguments, pid=1, **options))
        return started[-1]

    monkeypatch.setattr(module.subprocess, "Popen", popen)
    return SimpleNamespace(module=module, started=started)


def dag_run(dag_id: str, conf: Any) -> SimpleNamespace:
    return SimpleNamespace(dag_id=dag_id, run_id=RUN, conf=conf)


@pytest.mark.parametrize(
    ("dag_id", "conf", "starts"),
    [
        ("mwaa_migrator_import", {"artifact": "s3://exchange/artifacts/id"}, True),
        ("mwaa_migrator_import", {"artifact": "s3://exchange/artifacts/id/probe"}, True),
        ("mwaa_migrator_import", {"artifact": "s3://somebody-elses/artifacts/id"}, False),
        ("mwaa_migrator_import", {"artifact": "s3://exchange/elsewhere/id"}, False),
        ("mwaa_migrator_import", {"artifact": 7}, False),
        ("mwaa_migrator_import", {}, False),
        ("mwaa_migrator_import", None, False),
        ("orders", {"artifact": "s3://exchange/artifacts/id"}, False),
    ],
)
def test_the_plugin_acts_on_our_runs_and_our_bucket_only(plugin: Any, dag_id: str, conf: Any, starts: bool) -> None:
    plugin.module.on_dag_run_running(dag_run(dag_id, conf), "")
    assert len(plugin.started) == (1 if starts else 0)
    if starts:
        process = plugin.started[0]
        python, _, _, engine, url, dag, run, folder = process.arguments
        assert (python, url, dag, run) == (sys.executable, conf["artifact"], "mwaa_migrator_import", RUN)
        assert engine == folder
        assert [path.name for path in Path(engine).iterdir()] == ["mwaa_migrator"]
        assert (process.env["MWAA_MIGRATOR_WAY_IN"], process.start_new_session) == ("plugin", True)


@pytest.mark.parametrize(
    ("component", "command"),
    [("TaskRunnerMarker", "scheduler"), ("Job", "triggerer"), ("Job", "dag-processor")],
)
def test_the_plugin_does_nothing_where_something_else_starts(
    plugin: Any, component: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["airflow", command])
    plugin.module.on_starting(type(component, (), {})())
    assert plugin.started == []
