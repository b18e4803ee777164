"""Runs jobs in copying processes, the largest first, and gives their results as they arrive.

See ``copy_worker.py`` for the other end and for the jobs. One thread a process does nothing but wait for its answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from typing import Any, Callable, Iterator, NamedTuple, Sequence

from mwaa_migrator import errors
from mwaa_migrator.copying.child_process import child_environment
from mwaa_migrator.this_airflow.database import APPLICATION_NAME

MOST_JOBS = 16
#: Seconds without an answer after which the caller may do something else; a COPY can take an hour.
PATIENCE = 60.0


def default_jobs() -> int:
    """As many copying processes as there are cores, from 2 to 4: a worker of MWAA has 1 to 8 vCPUs and other work."""
    return max(2, min(4, os.cpu_count() or 1))


class Job(NamedTuple):
    """``weight`` orders the jobs (bytes, roughly); ``request`` is what the copying process is sent."""

    label: str
    weight: int
    request: dict[str, Any]


class _Process:
    def __init__(self, opening: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mwaa_migrator.copying.copy_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(),
            universal_newlines=True,
        )
        try:
            self.ask(opening)
        except BaseException:
            self.stop()
            raise

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Raises the error that the process names, or WorkerDied when it ends without an answer."""
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
                f"A copying process ended with code {code} in its middle; see its messages above, and try again "
                "(with fewer --jobs if memory was short)."
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
        return errors.MissingRight(answer["message"] + ". Grant the database user this right.")
    return errors.DatabaseFailed("{}: {}".format(answer["name"], answer["message"]))


def run_jobs(
    jobs: Sequence[Job],
    processes: int,
    storage: str,
    recipe: dict[str, str] | None = None,
    snapshot: str | None = None,
    application_name: str = APPLICATION_NAME,
    while_waiting: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Yield ``(job, result)`` as jobs finish; the first error stops all processes and is raised.

    ``while_waiting`` is called after each PATIENCE in which nothing has finished.
    """
    if not jobs:
        return
    opening = {"recipe": recipe, "application_name": application_name, "storage": storage, "snapshot": snapshot}
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
        for _ in range(len(jobs)):
            finished, answer = _next(answers, while_waiting)
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


def _next(answers: queue.Queue[tuple[Job | None, Any]], while_waiting: Callable[[], None]) -> tuple[Job | None, Any]:
    while True:
        with contextlib.suppress(queue.Empty):
            return answers.get(timeout=PATIENCE)
        while_waiting()
