"""Inspects the target of a rehearsal before it is deleted: how its Airflow shows old logs, what its tasks printed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from local.rehearsal import old_logs
from local.rehearsal.old_logs import OldLogs


class NotInspected(Exception):
    """There is no result of an inspection; the message says why."""


class TargetInspection:
    """To be called with each environment that is about to be deleted (`MwaaControlPlane.before_deletion`)."""

    def __init__(self, aws: AwsWithMwaa, source: str) -> None:
        self._aws = aws
        self._source = source
        self._task_log: Future[list[str]] | None = None
        self._old_logs: Future[OldLogs] | None = None

    def __call__(self, environment: Environment) -> None:
        """Inspects any environment but the source. Raises nothing: an error is kept for whoever wants the result."""
        if environment.name == self._source:
            return
        with ThreadPoolExecutor() as pool:
            self._task_log = pool.submit(lambda: list(task_log(self._aws.client("logs"), environment.name)))
            self._old_logs = pool.submit(old_logs.read, self._aws, self._source, environment.name)

    def old_logs(self) -> OldLogs:
        """
        Raises:
            NotInspected: no target was deleted, or its Airflow did not answer as it should.
        """
        if self._old_logs is None:
            raise NotInspected("no target was deleted, so none was asked for logs of old runs")
        error = self._old_logs.exception()
        if error is not None:
            raise NotInspected(
                f"the target's Airflow could not be asked for logs of old runs: {type(error).__name__}: {error}"
            ) from error
        return self._old_logs.result()

    def task_log(self) -> list[str]:
        """What the target's tasks printed; nothing where that could not be read."""
        return [] if self._task_log is None or self._task_log.exception() else self._task_log.result()


def task_log(logs: Any, environment: str) -> Iterator[str]:
    """The lines of an environment's task logs, under a heading for each stream."""
    return log_lines(logs, f"airflow-{environment}-Task")


def log_lines(logs: Any, group: str) -> Iterator[str]:
    """The lines of a log group, under a heading for each stream; of a long stream its first page."""
    for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=group):
        for stream in page["logStreams"]:
            yield f"==== {group} {stream['logStreamName']}"
            events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
            yield from (str(event["message"]) for event in events["events"])
