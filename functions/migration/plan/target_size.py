"""How large a rehearsal's target is: as small as its work allows, because it is thrown away.

What runs there is our own import, one task at a time, which takes 512 MB with all its processes at most
(docs/benchmarks.md): a worker of the smallest class here has 2 GB. All other DAGs are paused and only parsed, so a
class holds them as long as it has the capacity for so many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from migration import wording
from migration.airflow import our_dags

# DAGs that a class is good for, the smallest class first (Amazon MWAA, user guide, "Configuring the Amazon MWAA
# environment class"). Without mw1.micro, of 25 DAGs: one container is its scheduler and its worker, so how long an
# import takes there says little of any other class; and whether it exists in each region and for each version, and is
# upgraded in place as the others are, is not known here.
_CAPACITY = {
    "mw1.small": 50,
    "mw1.medium": 250,
    "mw1.large": 1_000,
    "mw1.xlarge": 2_000,
    "mw1.2xlarge": 4_000,
}
# The least that these classes take (CreateEnvironment, API reference). An environment's price includes them.
_LEAST = {"MinWorkers": 1, "Schedulers": 2, "MinWebservers": 2}
_AS_THE_SOURCE = "source"


class Size(NamedTuple):
    """Fields of CreateEnvironment that shall differ from the source's, and a sentence about them for the report."""

    fields: dict[str, Any]
    note: str


_UNCHANGED = Size({}, "")


def of(document: Mapping[str, Any], source: Mapping[str, Any], count: Callable[[], int | None]) -> Size:
    """The size of an input's target: the source's, unless it is a rehearsal's and the input does not say otherwise.

    Args:
        document: valid and complete.
        source: GetEnvironment's answer.
        count: how many DAGs the source has, None where that is not known; asked only if it matters.
    """
    given, options = document["target"]["overrides"], document["options"]
    if document["mode"] != "rehearse" or options["rehearsalClass"] == _AS_THE_SOURCE or "EnvironmentClass" in given:
        return _UNCHANGED
    its = source.get("EnvironmentClass", "")
    if its not in _CAPACITY:
        return _UNCHANGED
    if options["smokeTest"]:
        return Size({}, f"The target is as large as the source, {its}, because the smoke test's DAGs run in it.")
    fields = {name: least for name, least in _LEAST.items() if source.get(name, least) > least}
    dags = count()
    if dags is None:
        return Size(
            fields,
            f"The target is {its}, like the source: its number of DAGs is unknown, because CloudWatch has no "
            "DagBagSize for the last hour.",
        )
    smallest = _smallest(dags + len(our_dags.DAGS), its)
    if smallest == its:
        return Size(fields, "")
    return Size(
        {"EnvironmentClass": smallest, **fields},
        f"The target is {smallest}, the smallest class for the source's {wording.counted(dags, 'DAG')} and our "
        f"{len(our_dags.DAGS)}; the source is {its}. Set options.rehearsalClass to source to have one as large "
        "as that.",
    )


def _smallest(dags: int, largest: str) -> str:
    """The first class with the capacity for so many DAGs, but none above `largest`."""
    names = list(_CAPACITY)
    among = names[: names.index(largest)]
    return next((name for name in among if _CAPACITY[name] >= dags), largest)
