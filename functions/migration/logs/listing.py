"""Lists the streams of the source's groups and of the target's, and cuts the source's into batches.

A listing goes on in another invocation where it stopped: what has been listed lies in the exchange bucket, where it
goes on is the cursor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, TypedDict

from .. import errors
from ..store import Store
from .api import GroupMissing, LogsApi, OutOfTime
from .copying import Batch
from .early import Early
from .request import LogCopy, group_name
from .selection import Selection
from .writing import DAY

# FilterLogEvents takes so many names.
_TOGETHER = 100
# The most streams of a batch: their names, of 512 characters at most, fit twice into the input of a child execution.
_MOST_STREAMS = 200
# Batches for each worker, at least, so that all end at about the same time. Not more, because a batch of many streams
# has something for each quota at any time: big ones are read while small ones are made. Streams that are read one by
# one are the larger ones. Small ones are not cut into batches of fewer than 20, for which reading them would take
# longer than making them.
_ROUNDS = 2
_ROUNDS_ALONE = 5
_FEWEST_STREAMS = 20
# Groups whose streams have more on average are read stream by stream from the begin. An average says little of most of
# the streams, so it has to be high: in a group of very different ones most are small.
_ALONE_BYTES = 5_000_000
# Bytes of a batch of streams that are read one by one: some 100 pages.
_BATCH_BYTES = 100_000_000
# CloudWatch may be so late with a stream's `lastEventTimestamp` (its API says an hour, in rare cases more).
_LATE = DAY
# Streams that are kept before they are stored.
_PART = 50_000


class Cursor(TypedDict):
    """`step`: which group is being listed, the source's first, then the target's, group by group."""

    step: int
    token: str | None
    part: int


class Group(TypedDict):
    """A pair of groups. `bytes` and `streams`: of the source's group as a whole; `streams` counts what was listed."""

    group: str
    source: str
    target: str
    retention: int | None
    bytes: int


BEGIN = Cursor(step=0, token=None, part=0)


def prepare(copy: LogCopy, source: LogsApi, target: LogsApi) -> tuple[list[Group], list[str]]:
    """Makes the target's groups that are missing; returns the pairs, and the source's groups that do not exist.

    Raises LogGroupNotFound for a missing group of the source, unless the copy is lenient.
    """
    same_place = (copy["source"]["region"], copy["source"]["role"]) == (
        copy["target"]["region"],
        copy["target"]["role"],
    )
    pairs, missing = [], []
    for group in copy["groups"]:
        names = group_name(copy["source"], group), group_name(copy["target"], group)
        found = source.group(names[0])
        if found is None:
            missing.append(names[0])
            continue
        there = target.group(names[1])
        if there is None:
            # A key serves its own region and account; elsewhere the group is encrypted with CloudWatch's own.
            key = found.get("kmsKeyId") if same_place else None
            target.create_group(names[1], found.get("retentionInDays"), key)
            there = found
        pairs.append(
            Group(
                group=group,
                source=names[0],
                target=names[1],
                retention=there.get("retentionInDays"),
                bytes=found.get("storedBytes", 0),
            )
        )
    if missing and not copy["lenient"]:
        raise errors.LogGroupNotFound(
            f"There is no log group {', '.join(missing)} in {copy['source']['region']}. Check the environment's "
            "name and region, and logs.groups."
        )
    return pairs, missing


def list_some(
    copy: LogCopy,
    groups: list[Group],
    source: LogsApi,
    target: LogsApi,
    store: Store,
    selection: Selection,
    early: Early | None,
    cursor: Cursor,
    late: Callable[[], bool],
) -> Cursor | None:
    """Lists until the time is up or everything is listed; what it found is stored. The next cursor, or None."""
    while cursor["step"] < 2 * len(groups):
        pair = groups[cursor["step"] // 2]
        of_source = cursor["step"] % 2 == 0
        api, name = (source, pair["source"]) if of_source else (target, pair["target"])
        found: list[str] = []
        seen, token, ended = 0, cursor["token"], False
        while not ended and len(found) < _PART and not late():
            try:
                streams, token = api.streams(name, token)
            except OutOfTime:
                break
            except GroupMissing:
                streams, token = [], None
            seen += len(streams)
            ended = token is None
            for stream in streams:
                last = stream.get("lastEventTimestamp")
                if last is not None and last < copy["start"] - _LATE:
                    # The latest come first, so all that follow are as old.
                    ended = True
                    break
                if last is not None and (
                    not of_source or (_in_range(stream, copy) and _wanted(pair, stream, selection, early))
                ):
                    found.append(stream["logStreamName"])
        store.write(
            f"logs/listing/{cursor['part']:06d}.json",
            {"step": cursor["step"], "seen": seen, "streams": found},
        )
        part = cursor["part"] + 1
        cursor = Cursor(step=cursor["step"] + ended, token=None if ended else token, part=part)
        if late() and cursor["step"] < 2 * len(groups):
            return cursor
    return None


def _in_range(stream: dict[str, Any], copy: LogCopy) -> bool:
    first = stream.get("firstEventTimestamp")
    return first is None or first < copy["end"]


def _wanted(pair: Group, stream: dict[str, Any], selection: Selection, early: Early | None) -> bool:
    if early is not None and early.has(pair["source"], stream):
        return False
    return pair["group"] != "Task" or selection.wants(stream["logStreamName"])


def batches(groups: list[Group], parts: list[dict[str, Any]], workers: int) -> Iterator[Batch]:
    """The manifest's items, from what was listed, for `workers` to share."""
    index = 0
    for number, pair in enumerate(groups):
        names = [name for part in parts if part["step"] == 2 * number for name in part["streams"]]
        seen = sum(part["seen"] for part in parts if part["step"] == 2 * number)
        there = {name for part in parts if part["step"] == 2 * number + 1 for name in part["streams"]}
        # A stream that was written to while the group was listed can be on two pages. They are mixed, because those
        # with the latest events, which come first, may be alike and big.
        names = sorted(set(names), key=lambda name: hashlib.sha256(name.encode()).digest())
        together, size = sizes(pair["bytes"], seen, len(names), workers)
        for first in range(0, len(names), size):
            some = names[first : first + size]
            yield Batch(
                index=index,
                source=pair["source"],
                target=pair["target"],
                retention=pair["retention"],
                together=together,
                streams=some,
                there=[name for name in some if name in there],
            )
            index += 1


def sizes(stored: int, streams: int, wanted: int, workers: int) -> tuple[int, int]:
    """How many streams are read together (0: none), and how many make a batch.

    CloudWatch tells no stream's size any more (`storedBytes` of a stream is 0), only its group's. So the average is all
    there is to plan by; a batch whose streams turn out bigger is read in smaller sets (`reading`).
    """
    average = max(1, stored // max(1, streams))
    if average < _ALONE_BYTES:
        return _TOGETHER, min(_MOST_STREAMS, max(_FEWEST_STREAMS, -(-wanted // (_ROUNDS * workers))))
    return 0, max(1, min(_MOST_STREAMS, _BATCH_BYTES // average, -(-wanted // (_ROUNDS_ALONE * workers))))
