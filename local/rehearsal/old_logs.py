"""Asks a migrated environment for the logs of its source's runs, as its web interface does.

Airflow's own log reader answers, through the REST API; it looks in the target's log group for the stream that the run's
log template names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests

from local.mwaa import rest_api
from local.mwaa.airflow_processes import AirflowDidNotStart
from local.mwaa.aws_with_mwaa import AwsWithMwaa

#: The logs that are read, at most.
_MOST = 40
#: Characters that no reader escapes or reformats.
_PLAIN = re.compile(r"[A-Za-z0-9 _./=-]+")
_SHORTEST = 8
#: Characters of a log in the message that something is missing in it.
_SHOWN = 300


@dataclass
class OldLogs:
    """The number of logs that were read, and a text for each in which something is missing."""

    read: int = 0
    missing: list[str] = field(default_factory=list)


def read(aws: AwsWithMwaa, source: str, target: str) -> OldLogs:
    """Compares the logs that the target's Airflow shows with the source's streams."""
    streams = _streams(aws.client("logs"), f"airflow-{source}-Task")
    result = OldLogs()
    api = _RestApi(aws, target)
    for instance in _instances(api):
        for attempt in range(1, instance["try_number"] + 1):
            stream = next((name for name in _names(instance, attempt) if name in streams), None)
            if stream is None:
                continue
            if result.read == _MOST:
                return result
            result.read += 1
            shown = _shown(api, instance, attempt)
            absent = _absent(_messages(aws, f"airflow-{source}-Task", stream, instance), shown)
            if absent:
                result.missing.append(f"{stream}: {absent!r} in {len(shown)} characters, {shown[:_SHOWN]!r}")
    return result


def _streams(logs: Any, group: str) -> set[str]:
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
    return {stream["logStreamName"] for page in pages for stream in page["logStreams"]}


def _instances(api: _RestApi) -> Iterator[dict[str, Any]]:
    offset = 0
    while True:
        answer = api.get("/dags/~/dagRuns/~/taskInstances", {"limit": 100, "offset": offset})
        yield from answer["task_instances"]
        offset += 100
        if offset >= answer["total_entries"]:
            return


def _names(instance: dict[str, Any], attempt: int) -> Iterator[str]:
    """Amazon MWAA's names of the stream: from Airflow 2.3 on, and before."""
    dag, task, mapped = instance["dag_id"], instance["task_id"], instance.get("map_index", -1)
    of_map = f"map_index={mapped}/" if mapped >= 0 else ""
    yield f"dag_id={dag}/run_id={instance['dag_run_id']}/task_id={task}/{of_map}attempt={attempt}.log".replace(":", "_")
    date = instance.get("logical_date") or instance.get("execution_date")
    if date:
        at = datetime.fromisoformat(date).astimezone(UTC).isoformat()
        yield f"{dag}/{task}/{at}/{attempt}.log".replace(":", "_")


def _messages(aws: AwsWithMwaa, group: str, stream: str, instance: dict[str, Any]) -> list[str]:
    """The messages up to 30 seconds after the task's end, for which Airflow's reader asks (`CloudwatchTaskHandler`)."""
    ended = instance.get("end_date")
    until = (datetime.fromisoformat(ended).timestamp() + 30) * 1000 if ended else float("inf")
    answer = aws.client("logs").get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
    return [_said(str(event["message"])) for event in answer["events"] if event["timestamp"] <= until]


def _said(message: str) -> str:
    """What a line says: a task of Airflow 3 writes it as JSON, with the text under `event`."""
    try:
        line = json.loads(message)
    except ValueError:
        return message
    return str(line["event"]) if isinstance(line, dict) and "event" in line else message


def _shown(api: _RestApi, instance: dict[str, Any], attempt: int) -> str:
    parts = (quote(instance[name], safe="~") for name in ("dag_id", "dag_run_id", "task_id"))
    path = "/dags/{}/dagRuns/{}/taskInstances/{}/logs/{}".format(*parts, attempt)
    query: dict[str, Any] = {"full_content": "true"}
    if instance.get("map_index", -1) >= 0:
        query["map_index"] = instance["map_index"]
    return json.dumps(api.get(path, query), ensure_ascii=False)


def _absent(messages: list[str], shown: str) -> str | None:
    """The first message that is not shown, found by its longest stretch of plain characters; None if all are."""
    for message in messages:
        plain = max(_PLAIN.findall(message), key=len, default="").strip()
        if len(plain) >= _SHORTEST and plain not in shown:
            return plain
    return None


class _RestApi:
    """An environment's REST API, called directly: the paths of logs are longer than InvokeRestApi's 64 characters."""

    def __init__(self, aws: AwsWithMwaa, environment: str) -> None:
        airflow = aws.mwaa.environment(environment).airflow
        if airflow is None:
            raise AirflowDidNotStart(f"the Airflow of {environment} does not run")
        self._url = airflow.start_rest_api()
        self._headers = rest_api.headers(self._url)

    def get(self, path: str, query: dict[str, Any]) -> Any:
        """The answer's JSON, an error's included."""
        return requests.get(f"{self._url}{path}", params=query, headers=self._headers, timeout=60).json()
