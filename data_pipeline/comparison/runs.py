"""A pipeline's instances beside the runs of its DAG, by their scheduled start."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..expressions.functions import as_time

#: The most ids that DescribeObjects takes.
_AT_ONCE = 25
_FINISHED, _SUCCESS = "FINISHED", "success"


class NotRuns(Exception):
    """A text is no list of a DAG's runs."""


@dataclass(frozen=True)
class Run:
    """One scheduled start (UTC): what became of it in Data Pipeline and in Airflow, empty where it has no such run."""

    start: datetime
    old: str
    new: str

    @property
    def is_same(self) -> bool:
        """Whether both have finished it, or both have failed."""
        return bool(self.old and self.new) and (self.old == _FINISHED) == (self.new == _SUCCESS)


def compare(instances: Mapping[datetime, str], runs: Mapping[datetime, str]) -> list[Run]:
    """The runs of both from the first scheduled start on that both have, in order."""
    both = instances.keys() & runs.keys()
    if not both:
        return [Run(start, instances.get(start, ""), runs.get(start, "")) for start in sorted({*instances, *runs})]
    starts = sorted(start for start in {*instances, *runs} if start >= min(both))
    return [Run(start, instances.get(start, ""), runs.get(start, "")) for start in starts]


def instances(client: Any, pipeline_id: str) -> dict[datetime, str]:
    """The state of a pipeline's instances by scheduled start: FINISHED if all of them are, else those of the others.

    Raises:
        botocore.exceptions.ClientError: the service refuses.
    """
    states: dict[datetime, set[str]] = {}
    ids = list(_ids(client, pipeline_id))
    for first in range(0, len(ids), _AT_ONCE):
        answer = client.describe_objects(pipelineId=pipeline_id, objectIds=ids[first : first + _AT_ONCE])
        for found in answer["pipelineObjects"]:
            fields = {item["key"]: item.get("stringValue", "") for item in found["fields"]}
            if fields.get("@scheduledStartTime") and fields.get("@status"):
                states.setdefault(as_time(fields["@scheduledStartTime"]), set()).add(fields["@status"])
    return {start: ", ".join(sorted(found - {_FINISHED})) or _FINISHED for start, found in states.items()}


def _ids(client: Any, pipeline_id: str) -> Iterator[str]:
    marker = ""
    while True:
        asked = {"pipelineId": pipeline_id, "sphere": "INSTANCE", **({"marker": marker} if marker else {})}
        page = client.query_objects(**asked)
        yield from page.get("ids", ())
        if not page.get("hasMoreResults"):
            return
        marker = page["marker"]


def of_airflow(text: str) -> dict[datetime, str]:
    """The state of a DAG's runs by logical date, as `airflow dags list-runs --output json` prints them.

    Raises:
        NotRuns: the text is something else.
    """
    try:
        found: Sequence[Mapping[str, Any]] = json.loads(text)
        return {
            # Airflow 2 calls it the execution date. A run that was triggered by hand may have none.
            as_time(str(run.get("logical_date") or run["execution_date"])): str(run["state"])
            for run in found
            if run.get("logical_date") or run.get("execution_date")
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotRuns(
            "it is not a list of runs: write it with `airflow dags list-runs DAG --output json` (Airflow 2: -d DAG)."
        ) from error
