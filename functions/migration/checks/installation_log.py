"""Whether the target could install its requirements, as its own log says.

Amazon MWAA's containers install them when they start and log it, in the log group of their kind, in a stream that is
named `requirements_install...`; when pip has failed, the environment starts without them. So say the images' sources
(aws/amazon-mwaa-docker-images, mwaa/utils/user_requirements.py and mwaa/logging/config.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from migration.aws.client_errors import code_of, is_transient
from migration.checks.check_results import Check, Finding
from migration.wording import counted

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

NAME = "Installation of the requirements"
_PREFIX = "requirements_install"
# Whose containers install them.
_MODULES = ("SchedulerLogs", "WorkerLogs", "WebserverLogs")
# Each container has a stream; all of a kind do the same.
_STREAMS = 3
_ERROR = "ERROR:"
# pip only warns: the packages are installed, but one of them wants another version of a second.
_NOT_FATAL = "pip's dependency resolver does not currently take into account"
_MOST = 20
# Lines before an error that its finding quotes.
_TAIL = 40


def check(logs: CloudWatchLogsClient, environment: Mapping[str, Any], since: str | None) -> Check:
    """The check of an environment (GetEnvironment's answer) that has requirements.

    `since` (ISO 8601) is when the environment began to be what it is: an update leaves the logs of what was before.
    """
    groups = _groups(environment)
    if not groups:
        return _unseen(
            "None of the target's log groups for schedulers, workers and web servers is enabled.",
            "Enable SchedulerLogs by target.overrides.LoggingConfiguration.",
        )
    begun = 0 if since is None else int(datetime.fromisoformat(since).timestamp() * 1000)
    read = 0
    findings: list[Finding] = []
    try:
        for group in groups:
            for stream in _streams(logs, group, begun):
                read += 1
                findings += _errors(group, stream, _lines(logs, group, stream, begun))
    except ClientError as error:
        if is_transient(error):
            raise
        return _unseen(
            f"The log groups could not be read: {code_of(error)}.",
            "Name them in the stack's LogGroupArns.",
        )
    if not read:
        return _unseen(
            f"The target's log groups have no stream {_PREFIX}... since {since or 'they exist'}.",
            "Look for the reason in the log group of the schedulers.",
        )
    if not findings:
        return Check(name=NAME, result="pass", message=f"No error in {counted(read, 'log')} of the installation.")
    fatal = any(_NOT_FATAL not in (found.get("message") or "") for found in findings)
    return Check(
        name=NAME,
        result="fail" if fatal else "warn",
        message="The target could not install its requirements; it runs without them."
        if fatal
        else "The requirements are installed, but do not agree with each other.",
        remedy="Correct requirements.txt until it installs with the constraints of the target's version.",
        findings=findings[:_MOST],
    )


def _unseen(message: str, remedy: str) -> Check:
    return Check(
        name=NAME, result="warn", message=f"It is unknown whether they were installed. {message}", remedy=remedy
    )


def _groups(environment: Mapping[str, Any]) -> list[str]:
    configuration = environment.get("LoggingConfiguration", {})
    return [
        configuration[module]["CloudWatchLogGroupArn"].split(":log-group:")[-1].removesuffix(":*")
        for module in _MODULES
        if configuration.get(module, {}).get("Enabled")
    ]


def _streams(logs: CloudWatchLogsClient, group: str, begun: int) -> list[str]:
    """The newest streams of installations. By their creation: the time of the last event can come an hour late."""
    found = [
        (stream["creationTime"], stream["logStreamName"])
        for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=group, logStreamNamePrefix=_PREFIX)
        for stream in page["logStreams"]
    ]
    return [name for created, name in sorted(found, reverse=True)[:_STREAMS] if created >= begun]


def _lines(logs: CloudWatchLogsClient, group: str, stream: str, begun: int) -> list[str]:
    """The end of a log, at most a page (1 MB): pip's errors are there."""
    page = logs.get_log_events(logGroupName=group, logStreamName=stream, startTime=begun, startFromHead=False)
    lines = [event["message"] for event in page["events"]]
    if lines:
        return lines
    # A page can be empty although there is more.
    before = logs.get_log_events(
        logGroupName=group,
        logStreamName=stream,
        startTime=begun,
        startFromHead=False,
        nextToken=page["nextBackwardToken"],
    )
    return [event["message"] for event in before["events"]]


def _errors(group: str, stream: str, lines: Sequence[str]) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, line in enumerate(lines):
        if _ERROR not in line:
            continue
        message = line[line.index(_ERROR) :].strip()
        if message not in seen:
            seen.add(message)
            yield Finding(
                message=message,
                detail="\n".join([f"{group}, {stream}:", *lines[max(number - _TAIL, 0) : number + 2]]),
            )
