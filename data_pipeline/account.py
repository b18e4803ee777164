"""Reads pipelines from the service, by id or all that are active."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from . import reading
from .model import Activation, Definition
from .problems import DefinitionRefused, Problem

#: The most ids that DescribePipelines takes.
_AT_ONCE = 25
#: What the service calls a pipeline that runs by its schedule.
_ACTIVE = "SCHEDULED"


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as the service lists it, with its definition, or what is wrong with that."""

    pipeline_id: str
    name: str
    definition: Definition | None = None
    refused: DefinitionRefused | None = None


def active(client: Any) -> Iterator[Pipeline]:
    """Every pipeline that is active, in the service's order.

    Raises:
        botocore.exceptions.ClientError: the service refuses.
    """
    ids: list[str] = []
    marker = ""
    while True:
        page = client.list_pipelines(**({"marker": marker} if marker else {}))
        ids += [item["id"] for item in page["pipelineIdList"]]
        if not page.get("hasMoreResults"):
            break
        marker = page["marker"]
    yield from (found for found, state in _described(client, ids) if state == _ACTIVE)


def by_id(client: Any, ids: Sequence[str]) -> Iterator[Pipeline]:
    """The pipelines of some ids, active or not.

    Raises:
        botocore.exceptions.ClientError: the service refuses, as it does where one of them does not exist.
    """
    missing = dict.fromkeys(ids)
    for found, _ in _described(client, ids):
        missing.pop(found.pipeline_id, None)
        yield found
    for pipeline_id in missing:
        problem = Problem("", "", "the account has no such pipeline in this region.")
        yield Pipeline(pipeline_id, pipeline_id, refused=DefinitionRefused(pipeline_id, [problem]))


def _described(client: Any, ids: Sequence[str]) -> Iterator[tuple[Pipeline, str]]:
    """The pipelines with their states; only an active one's definition in use is asked for, else its latest."""
    for start in range(0, len(ids), _AT_ONCE):
        answer = client.describe_pipelines(pipelineIds=list(ids[start : start + _AT_ONCE]))
        for description in answer["pipelineDescriptionList"]:
            fields = {item["key"]: item.get("stringValue", "") for item in description["fields"]}
            state = fields.get("@pipelineState", "")
            yield _read(client, description, fields, "active" if state == _ACTIVE else "latest"), state


def _read(client: Any, description: Mapping[str, Any], fields: Mapping[str, str], version: str) -> Pipeline:
    pipeline_id, name = str(description["pipelineId"]), str(description["name"])
    answer = client.get_pipeline_definition(pipelineId=pipeline_id, version=version)
    try:
        found = reading.definition_of(pipeline_id, name, answer, str(description.get("description") or ""))
    except DefinitionRefused as refused:
        return Pipeline(pipeline_id, name, refused=refused)
    activation = Activation(pipeline_id, _time(fields.get("@firstActivationTime")), _time(fields.get("@nextRunTime")))
    return Pipeline(pipeline_id, name, replace(found, activation=activation))


def _time(text: str | None) -> datetime | None:
    """A time of the service, which is in UTC."""
    if not text:
        return None
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
