"""What waits for the copying processes."""

from __future__ import annotations

import queue
import time

import pytest
from mwaa_migrator import waiting
from mwaa_migrator.artifact.parts import PartWriter
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.copying.workers import Job, run_jobs


def checks(directory: Storage, number: int) -> list[Job]:
    writer = PartWriter(directory, "tables/log/0000", 10)
    for _ in range(number):
        writer.write(b"a row of 10\n")
    writer.close()
    return [Job("log", part["stored_bytes"], {"kind": "check_part", "part": part}) for part in writer.parts]


def test_while_nothing_finishes_the_caller_may_do_something(
    directory: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here what takes its time is the start of the processes."""
    monkeypatch.setattr(waiting, "PATIENCE", 0.005)
    did: list[str] = []
    jobs = checks(directory, 5)
    finished = [job for job, _ in run_jobs(jobs, 2, directory.url, while_waiting=lambda: did.append("something"))]
    assert [job for job in jobs if job in finished] == jobs
    assert did


def test_what_the_caller_fails_in_meanwhile_stops_all(directory: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.005)

    def fail() -> None:
        raise ConnectionError("the session was closed")

    with pytest.raises(ConnectionError):
        list(run_jobs(checks(directory, 5), 2, directory.url, while_waiting=fail))


def test_it_may_do_so_however_much_finishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would disconnect the session that waits for many jobs, each of them short."""
    monkeypatch.setattr(waiting, "PATIENCE", 0.05)
    incoming: queue.Queue[int] = queue.Queue()
    did: list[int] = []
    incoming.put(0)
    for number in waiting.arrivals(incoming, lambda: did.append(1)):
        if len(did) == 2:
            return
        assert number < 1000
        incoming.put(number + 1)
        time.sleep(0.01)
