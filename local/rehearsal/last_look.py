"""What is kept of a target that a rehearsal deletes: how its Airflow shows old logs, and what its tasks printed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from local.rehearsal import old_logs
from local.rehearsal.old_logs import OldLogs


class NotSeen(Exception):
    """Nobody could look at a target before it was deleted; the message says why."""


class LastLook:
    """Looks at each environment but the source before it is deleted (`MwaaControlPlane.last_look`)."""

    def __init__(self, aws: AwsWithMwaa, source: str) -> None:
        self._aws = aws
        self._source = source
        self._task_log: Future[list[str]] | None = None
        self._old_logs: Future[OldLogs] | None = None

    def __call__(self, environment: Environment) -> None:
        """Raises nothing: what goes wrong is kept for whoever asks for the result."""
        if environment.name == self._source:
            return
        with ThreadPoolExecutor() as looking:
            self._task_log = looking.submit(lambda: list(task_log(self._aws.client("logs"), environment.name)))
            self._old_logs = looking.submit(old_logs.read, self._aws, self._source, environment.name)

    def old_logs(self) -> OldLogs:
        """
        Raises:
            NotSeen: there was no target, or its Airflow did not answer as it should.
        """
        if self._old_logs is None:
            raise NotSeen("no target was deleted, so none was asked for logs of old runs")
        error = self._old_logs.exception()
        if error is not None:
            raise NotSeen(
                f"the target's Airflow could not be asked for logs of old runs: {type(error).__name__}: {error}"
            ) from error
        return self._old_logs.result()

    def task_log(self) -> list[str]:
        """What the target's tasks printed, as far as it could be read."""
        return [] if self._task_log is None or self._task_log.exception() else self._task_log.result()


def task_log(logs: Any, environment: str) -> Iterator[str]:
    """The lines of an environment's task logs, under a heading for each stream."""
    return lines(logs, f"airflow-{environment}-Task")


def lines(logs: Any, group: str) -> Iterator[str]:
    """The lines of a log group, under a heading for each stream."""
    for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=group):
        for stream in page["logStreams"]:
            yield f"==== {group} {stream['logStreamName']}"
            events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
            yield from (str(event["message"]) for event in events["events"])
