"""Runs jobs in copying processes, the largest first, and yields their results as they arrive.

``copy_worker.py`` is the other end and lists the jobs. One thread for each process waits for its answers.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import subprocess
import threading
from typing import Any, Callable, Dict, Iterator, NamedTuple, Sequence

import psycopg2
import psycopg2.errors

from mwaa_migrator import child_process, errors
from mwaa_migrator.postgres.session import remedy
from mwaa_migrator.this_airflow.place import APPLICATION_NAME
from mwaa_migrator.waiting import arrivals


class Job(NamedTuple):
    """``weight`` orders the jobs (bytes, roughly); ``request`` is what the copying process gets."""

    label: str
    weight: int
    request: Dict[str, Any]


class Session(NamedTuple):
    """How copying processes connect. ``snapshot`` is one that another session has exported."""

    parameters: Dict[str, str]
    application_name: str = APPLICATION_NAME
    snapshot: str | None = None


def run_jobs(
    jobs: Sequence[Job],
    processes: int,
    storage_url: str,
    session: Session | None = None,
    while_waiting: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Yield ``(job, result)`` as jobs finish; the first error stops all processes and is raised.

    ``while_waiting`` is called as in ``waiting.arrivals``.
    """
    if not jobs:
        return
    opening = {"storage": storage_url, "session": session and session._asdict()}
    waiting: queue.Queue[Job] = queue.Queue()
    for job in sorted(jobs, key=lambda job: -job.weight):
        waiting.put(job)
    answers: queue.Queue[tuple[Job | None, Any]] = queue.Queue()
    running: list[_Process] = []

    def work() -> None:
        process: _Process | None = None
        try:
            process = _Process(opening)
            running.append(process)
            while True:
                try:
                    job = waiting.get_nowait()
                except queue.Empty:
                    return
                answers.put((job, process.ask(job.request)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller's thread raises it again
            answers.put((None, error))
        finally:
            if process is not None:
                process.stop()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(processes, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        for finished, answer in itertools.islice(arrivals(answers, while_waiting), len(jobs)):
            if finished is None:
                raise answer
            yield finished, answer
    except BaseException:
        # The others may sit in a COPY of an hour.
        for process in running:
            process.kill()
        raise
    finally:
        for thread in threads:
            thread.join()


class _Process:
    def __init__(self, opening: dict[str, Any]) -> None:
        self._process = child_process.start("mwaa_migrator.copying.copy_worker")
        try:
            self.ask(opening)
        except BaseException:
            self.stop()
            raise

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Raises the error that the process names, or WorkerDied if it ends without an answer."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self._process.wait()
            raise errors.WorkerDied(
                f"A copying process ended with code {code} before it answered. See its messages above, and try "
                "again, with fewer --jobs if memory was short."
            )
        answer = json.loads(line)
        if "error" in answer:
            raise _error(answer["error"])
        return dict(answer["result"])

    def kill(self) -> None:
        self._process.kill()

    def stop(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def _error(answer: dict[str, str]) -> errors.MigratorError:
    error_class = getattr(errors, answer["name"], None)
    if isinstance(error_class, type) and issubclass(error_class, errors.MigratorError):
        return error_class(answer["message"])
    if answer["name"] == "InsufficientPrivilege":
        message = "The database user of a copying process lacks a right: {}. Grant it and try again."
        return errors.MissingRight(message.format(answer["message"]))
    message = "The database failed in a copying process: {}: {}. {}"
    kind = getattr(psycopg2.errors, answer["name"], None) or getattr(psycopg2, answer["name"], psycopg2.DatabaseError)
    return errors.DatabaseFailed(message.format(answer["name"], answer["message"], remedy(kind)))
