"""Lists the streams of the source's groups and of the target's, and cuts the source's into batches.

A listing continues in another invocation: what has been listed lies in the exchange bucket, and the cursor says
where to continue.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, TypedDict

from migration import errors
from migration.exchange import layout
from migration.exchange.store import Store
from migration.logs.api import GroupMissing, LogsApi, OutOfTime
from migration.logs.copying import Batch
from migration.logs.early_copy import LATE, Early
from migration.logs.request import LogCopy, group_name
from migration.logs.selection import Selection

# FilterLogEvents takes at most this many names.
_TOGETHER = 100
# The most streams of a batch, for its journal is written every few seconds, and the most bytes of their names, which
# have to fit twice into the input of a child execution, of 256 KiB.
_MOST_STREAMS = 1000
_MOST_BYTES = 100_000
# Small streams are cut into as few batches as can be, one for each worker: while a batch waits for another to end, its
# small streams are not made, and its big ones not found. Not fewer than 20 each, for which reading them would take
# longer than making them. Batches of big ones, which have nothing to wait for but pages, are several for each worker,
# so that all end at about the same time.
_FEWEST_STREAMS = 20
_ROUNDS_ALONE = 5
# Groups whose streams have more on average are read stream by stream from the begin. An average says little of most of
# the streams, so it has to be high: in a group of very different ones most are small.
_ALONE_BYTES = 5_000_000
# Bytes of a batch of streams that are read one by one: some 100 pages.
_BATCH_BYTES = 100_000_000
# Streams that are kept before they are stored.
_PART = 50_000


class Listed(TypedDict):
    """A stream, and for how long it was written to."""

    name: str
    milliseconds: int


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
        found: list[Listed] = []
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
                # CloudWatch tells the time of a stream's last event within an hour or so, and nobody says where those
                # without one stand: they may follow the oldest, so all are listed, and they are looked at.
                if last is not None and last < copy["start"] - LATE:
                    continue
                if not of_source or (_in_range(stream, copy) and _wanted(pair, stream, selection, early)):
                    found.append(Listed(name=stream["logStreamName"], milliseconds=_lasted(stream, copy)))
        store.write(
            layout.log_listing(cursor["part"]),
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


def _lasted(stream: dict[str, Any], copy: LogCopy) -> int:
    """How long the stream was written to, of the time that is copied; 0 where that is not known yet."""
    last: int | None = stream.get("lastEventTimestamp")
    if last is None:
        return 0
    first: int = stream.get("firstEventTimestamp", last)
    return max(0, min(last, copy["end"]) - max(first, copy["start"]))


def _wanted(pair: Group, stream: dict[str, Any], selection: Selection, early: Early | None) -> bool:
    if early is not None and early.has(pair["source"], stream):
        return False
    return pair["group"] != "Task" or selection.wants(stream["logStreamName"])


def batches(groups: list[Group], parts: list[dict[str, Any]], workers: int) -> Iterator[Batch]:
    """The manifest's items, from what was listed, for `workers` to share.

    A stream that was written to for long is probably big, and a big stream is read page after page, which takes long
    whatever the quotas are. So those that lasted longest are dealt out evenly, and each batch begins with its own.
    """
    index = 0
    for number, pair in enumerate(groups):
        # A stream that was written to while the group was listed can be on two pages.
        lasted: dict[str, int] = {}
        for part in parts:
            if part["step"] == 2 * number:
                for stream in part["streams"]:
                    lasted[stream["name"]] = max(stream["milliseconds"], lasted.get(stream["name"], 0))
        seen = sum(part["seen"] for part in parts if part["step"] == 2 * number)
        there = {stream["name"] for part in parts if part["step"] == 2 * number + 1 for stream in part["streams"]}
        together, size = sizes(pair["bytes"], seen, len(lasted), workers)
        for some in _dealt(_longest_first(lasted), size):
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


def _longest_first(lasted: dict[str, int]) -> list[str]:
    """Those that lasted equally long are mixed, because neighbours in the listing may be alike and big."""
    return sorted(lasted, key=lambda name: (-lasted[name], hashlib.sha256(name.encode()).digest()))


def _dealt(names: list[str], size: int) -> list[list[str]]:
    """Batches of up to `size` streams, or fewer where their names are long; each has names from begin to end."""
    length = {name: len(json.dumps(name)) + 1 for name in names}
    count = max(-(-len(names) // size), -(-sum(length.values()) // _MOST_BYTES))
    while True:
        dealt = [names[first::count] for first in range(count)]
        if all(sum(length[name] for name in some) <= _MOST_BYTES for some in dealt):
            return dealt
        count += 1


def sizes(stored: int, streams: int, wanted: int, workers: int) -> tuple[int, int]:
    """How many streams are read together (0: none), and how many make a batch.

    CloudWatch no longer reports a stream's size (its `storedBytes` is 0), only its group's. So the average is all
    there is to plan by; a batch whose streams turn out bigger is read in smaller sets (`reading`).
    """
    average = max(1, stored // max(1, streams))
    if average < _ALONE_BYTES:
        rounds = max(1, -(-wanted // (_MOST_STREAMS * workers)))
        return _TOGETHER, max(_FEWEST_STREAMS, -(-wanted // (rounds * workers)))
    return 0, max(1, min(_MOST_STREAMS, _BATCH_BYTES // average, -(-wanted // (_ROUNDS_ALONE * workers))))
