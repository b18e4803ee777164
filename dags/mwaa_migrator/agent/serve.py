"""The engine beside a self-managed Airflow: takes requests from S3 and leaves results there, as a DAG of ours does.

A request stands for a run of a DAG of ours: tasks in their order, and the conf that such a run is triggered with. It
lies in the folder ``agent`` of the migration; the results lie where the conf has the artifact, under the tasks' names.
So whoever asks reads the same objects, whether a DAG or an agent has done the work.

An agent that was killed is started again and goes on: a request is open as long as one of its tasks has left no result,
and every task may be repeated. The lease, which an agent holds as long as it runs, keeps a second one out.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import uuid
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, NamedTuple

from mwaa_migrator.artifact import lease as leases
from mwaa_migrator.artifact.lease import LEASE_SECONDS, Lease
from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.artifact.s3_storage import S3Storage
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.dag_tasks.tasks import do_task, is_final
from mwaa_migrator.dag_tasks.work_process import work_in_process
from mwaa_migrator.errors import AgentRunning, MigratorError, MissingRight, StorageUnavailable
from mwaa_migrator.progress import Progress

#: What is done in a source; an agent does nothing else.
TASKS = ("quiesce", "drain", "export", "resume")
#: Whoever has the DAGs put back wants nothing else any more: it waits for no other task.
URGENT = "resume"

FOLDER = "agent"
_REQUEST = ".request.json"
_POLL_SECONDS = 2.0
#: As often and as soon as Airflow tries a task of our DAGs.
_TRIES = 4
_RETRY_SECONDS = 30.0


class Request(NamedTuple):
    """``conf`` has the artifact's URL and the options; ``tasks`` are done in their order, up to one that fails."""

    run_id: str
    tasks: List[str]
    conf: Dict[str, Any]
    asked: str


def request_name(run_id: str) -> str:
    return f"{FOLDER}/{run_id}{_REQUEST}"


class Agent:
    """Serves one migration, whose objects are below ``place``."""

    def __init__(self, place: S3Storage, progress: Progress) -> None:
        self._place = place
        self._progress = progress
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._done: set[str] = set()
        self._process: subprocess.Popen[str] | None = None
        self._current = ""

    def end(self) -> None:
        """Have ``serve`` return; a task that is being done is ended, and is done again by the next agent."""
        self._ended.set()
        self._kill()

    def serve(self) -> None:
        """Do what is asked for until ``end``. Raises AgentRunning if another agent does that."""
        while not self._ended.is_set():
            lease = self._take_lease()
            if lease is None:
                return
            self._progress.say(f"agent: waits for requests under {self._place.url}/{FOLDER}")
            self._lost.clear()
            with leases.renewed(lease, "", self._lose):
                while not self._ended.is_set() and not self._lost.is_set():
                    self._look()
                    self._ended.wait(_POLL_SECONDS)
            if not self._lost.is_set():
                lease.release()

    def _take_lease(self) -> Lease | None:
        """The lease, as soon as it is free or stale; None if the agent is to end."""
        lease = Lease(self._place, FOLDER, f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex[:8]}")
        first: leases.Seen | None = None
        while not self._ended.is_set():
            try:
                if lease.try_to_take(""):
                    return lease
                seen = leases.look(self._place, FOLDER)
            except (MissingRight, StorageUnavailable) as error:
                self._progress.say(f"agent: {error}")
            else:
                if first is None and seen is not None:
                    first = seen
                    self._progress.say(
                        f"agent: {seen.holder} was here; sees for {LEASE_SECONDS:.0f} s whether it lives"
                    )
                if seen is not None and first is not None and seen.holder and seen.tag != first.tag:
                    raise AgentRunning(
                        f"Another agent works for {self._place.folder} (host, process, name: {seen.holder}). Only one "
                        "may: end it before you start another."
                    )
            self._ended.wait(_POLL_SECONDS)
        return None

    def _lose(self) -> None:
        self._lost.set()
        self._kill()

    def _kill(self) -> None:
        process = self._process
        if process is not None:
            process.kill()

    # Requests

    def _look(self) -> None:
        try:
            goes_on = True
            while goes_on:
                # Looked for anew each time, because an urgent one may have come.
                open_ = self._open_requests()
                goes_on = bool(open_) and self._do(open_[0])
        except (MissingRight, StorageUnavailable) as error:
            # A grant takes a while to arrive, and a network to come back.
            self._progress.say(f"agent: {error}")

    def _open_requests(self) -> List[Request]:
        """Those of which a task has left no result, the urgent ones first, the others as they were asked for."""
        found = [self._read(name) for name in self._place.names(FOLDER) if name.endswith(_REQUEST)]
        open_ = [request for request in found if request is not None and request.run_id not in self._done]
        return sorted(open_, key=lambda request: (URGENT not in request.tasks, request.asked))

    def _read(self, name: str) -> Request | None:
        """The request in an object; None, told once, if it is none that is for an agent."""
        content = self._place.read_tagged(name)
        if content is None or name in self._done:
            return None
        try:
            request = Request(**json.loads(content.content))
            artifact = str(request.conf["artifact"])
        except (ValueError, TypeError, LookupError):
            problem = "it is no request"
        else:
            if not artifact.startswith(self._place.url):
                problem = f"its artifact is not below {self._place.url}"
            elif not request.tasks or not set(request.tasks) <= set(TASKS):
                problem = "an agent does {} only".format(", ".join(TASKS))
            else:
                return request
        self._done.add(name)
        self._progress.say(f"agent: leaves {name} alone: {problem}")
        return None

    def _do(self, request: Request) -> bool:
        """Do what is left of a request; false if it is left for another look."""
        artifact = open_storage(str(request.conf["artifact"]).rstrip("/"))
        for task in request.tasks:
            status = _status(artifact, task, request.run_id)
            if status is None:
                status = self._try(request, task)
            if status is None:
                return False
            if status == "failed":
                break
        self._done.add(request.run_id)
        self._progress.say(f"agent: {request.run_id} is done")
        return True

    def _try(self, request: Request, task: str) -> str | None:
        """The status of a task's result once it has one; None if it is left for another look."""
        for left in range(_TRIES - 1, -1, -1):
            self._progress.say(f"agent: {task} of {request.run_id}")
            self._current = request.run_id
            is_over = False

            def leaves_failure(error: MigratorError, left: int = left) -> bool:
                nonlocal is_over
                is_over = not self._is_to_be_done_again(error) and (
                    left == 0 or is_final(error) or self._is_overtaken()
                )
                return is_over

            try:
                do_task(task, request.conf, request.run_id, self._work, leaves_failure)
                return "done"
            except MigratorError as error:
                self._progress.say(f"agent: {task}: {error.name}: {error}")
                if is_over:
                    return "failed"
                if self._is_to_be_done_again(error):
                    return None
            self._ended.wait(_RETRY_SECONDS)
        return None

    def _is_to_be_done_again(self, error: MigratorError) -> bool:
        """Whether a task ended for a reason that is not its own: the agent's end, or an S3 that does not answer."""
        return self._ended.is_set() or self._lost.is_set() or isinstance(error, StorageUnavailable)

    def _is_overtaken(self) -> bool:
        """Whether another request is open that is urgent; false where S3 does not say."""
        try:
            first = next(iter(self._open_requests()), None)
        except (MissingRight, StorageUnavailable) as error:
            self._progress.say(f"agent: {error}")
            return False
        return first is not None and URGENT in first.tasks and first.run_id != self._current

    def _work(self, task: str, storage: Storage, options: Dict[str, Any], run_id: str) -> Dict[str, Any]:
        """A task's work in a process of its own, which ends early if the DAGs are to be put back."""
        with self._watched(task):
            try:
                return work_in_process(task, storage, options, run_id, self._started)
            finally:
                self._process = None

    def _started(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @contextmanager
    def _watched(self, task: str) -> Iterator[None]:
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(_POLL_SECONDS):
                if self._is_overtaken():
                    self._kill()
                    return

        thread = threading.Thread(target=watch, daemon=True)
        if task != URGENT:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            if task != URGENT:
                thread.join()


def _status(artifact: Storage, task: str, run_id: str) -> str | None:
    """How a task of a run has ended; None if it has not."""
    name = task + ".json"
    if artifact.size(name) is None:
        return None
    result = json.loads(artifact.read_bytes(name).decode("utf-8"))
    return str(result["status"]) if result.get("run_id") == run_id else None
