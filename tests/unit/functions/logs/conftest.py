"""A copy of logs from one end to the other: the functions, moto's S3, and CloudWatch Logs over HTTP."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest
from botocore.loaders import create_loader

import collect_log_results
import copy_log_events
import list_log_streams
from local.aws.logs.quotas import QUOTAS
from local.aws.logs.server import LogServer
from local.aws.logs.service import LogService
from migration.aws import clients
from migration.logs.clock import Clock

SOURCE, TARGET = "airflow-old-Task", "airflow-new-Task"
HOUR = 60 * 60 * 1000
Handler = Callable[..., dict[str, Any]]
Content = dict[str, list[tuple[int, str]]]
# Each test begins a session, and each session would read the models of its services anew.
MODELS = create_loader()


class TurnedClock(Clock):
    """Real time, but who sleeps turns the clock forward instead."""

    def __init__(self) -> None:
        self.offset = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return super().now() + self.offset

    def monotonic(self) -> float:
        return super().monotonic() + self.offset

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.offset += seconds


class Copying:
    """Runs the functions as the state machine does."""

    def __init__(self, call: Handler, service: LogService, clock: TurnedClock) -> None:
        self._call = call
        self.service = service
        self.clock = clock
        self.made: dict[str, Any] = {}
        #: Milliseconds: an hour ago.
        self.recent = int(clock.now() * 1000) - HOUR
        service.group(SOURCE)

    def fill(self, stream: str, number: int, *, at: int | None = None, step: int = 1000, text: str = "line {}") -> None:
        """Puts `number` events into a stream of the source."""
        begin = self.recent if at is None else at
        self.service.fill(SOURCE, stream, [(begin + i * step, text.format(i)) for i in range(number)])

    def list_streams(self, execution: str = "one", given: dict[str, Any] | None = None, **logs: Any) -> dict[str, Any]:
        """`given`: the execution's input, where it is another than for logs alone."""
        given = given or {"source": {"environment": "old"}, "target": {"environment": "new"}, "logs": logs}
        progress = None
        while True:
            answer = self._call(list_log_streams, execution=execution, input=given, progress=progress)
            # It travels through the state machine.
            progress = json.loads(json.dumps(answer["progress"]))
            if answer["ready"]:
                self.made = answer
                return answer

    def batches(self) -> builtins.list[dict[str, Any]]:
        body: Any = clients.s3().get_object(Bucket="exchange", Key=self.made["manifest"])["Body"]
        batches: builtins.list[dict[str, Any]] = json.loads(body.read())
        return batches

    def copy(self) -> None:
        for batch in self.batches():
            while not (answer := self._call(copy_log_events, copy=self.made["copy"], batch=batch))["ready"]:
                self.clock.sleep(answer["waitSeconds"])

    def collect(self, failure: dict[str, str] | None = None) -> dict[str, Any]:
        self._call(collect_log_results, copy=self.made["copy"], failure=failure or {})
        return self.report()

    def report(self) -> dict[str, Any]:
        body: Any = clients.s3().get_object(Bucket="exchange", Key=f"{self.made['copy']['prefix']}/logs.json")["Body"]
        report: dict[str, Any] = json.loads(body.read())
        return report

    def run(self, execution: str = "one", **logs: Any) -> dict[str, Any]:
        self.list_streams(execution, **logs)
        self.copy()
        return self.collect()

    @property
    def source(self) -> Content:
        return self.service.content(SOURCE)

    @property
    def target(self) -> Content:
        return self.service.content(TARGET)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    clock = TurnedClock()
    for module in (copy_log_events, list_log_streams):
        monkeypatch.setattr(module, "Clock", lambda: clock)
    return clock


@pytest.fixture
def service(clock: TurnedClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogService]:
    service = LogService(clock.now)
    monkeypatch.setattr(botocore.session, "create_loader", lambda search_paths: MODELS)
    with LogServer(service) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", server.url)
        clients.logs.cache_clear()
        yield service
    clients.logs.cache_clear()


@pytest.fixture
def copying(call: Handler, service: LogService, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch) -> Copying:
    monkeypatch.setenv("LOG_QUOTAS", json.dumps({**QUOTAS, "percent": 80, "workers": 5}))
    return Copying(call, service, clock)
