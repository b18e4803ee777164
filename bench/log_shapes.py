"""The logs that are copied: their shapes, and the least that a copy would need if it knew them beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from local.aws.logs.quotas import QUOTAS
from local.aws.logs.service import PAGE_EVENTS, Body, LogService
from local.aws.logs.streams import PAGE_BYTES, PER_EVENT, Stream, size

SOURCE, TARGET = "airflow-old-Task", "airflow-new-Task"
#: The most streams that FilterLogEvents takes.
_TOGETHER = 100
#: A line as Airflow writes it; CloudWatch counts 206 bytes.
_LINE = (
    "[2026-01-01T00:00:00.000+0000] {{s3_to_redshift.py:172}} INFO - Copied s3://landing-zone/orders/2026/01/01/"
    "part-{:08d}.parquet into warehouse.orders: 12345 rows, 0.123 seconds"
)


@dataclass(frozen=True)
class Kind:
    """So many streams of so many events each, with that text."""

    name: str
    streams: int
    events: int
    text: Callable[[int], str]
    step: int = 1000


class Generated(Stream):
    """A stream whose events are made when they are read."""

    def __init__(self, begin: int, kind: Kind) -> None:
        super().__init__(begin)
        self.begin = begin
        self.kind = kind
        self.number, self.step, self.text = kind.events, kind.step, kind.text

    def span(self) -> tuple[int, int] | None:
        return (self.begin, self.begin + (self.number - 1) * self.step)

    def pages(self) -> list[int]:
        """Where each page begins, and the end."""
        starts, total = [0], 0
        for index in range(self.number):
            more = size(self.text(index)) + PER_EVENT
            if index - starts[-1] == PAGE_EVENTS or total + more > PAGE_BYTES:
                starts.append(index)
                total = 0
            total += more
        return [*starts, self.number]


class Counted(Stream):
    """A stream of the target: how many events it has received, and the sum of their hashes, instead of the events."""

    def __init__(self, created: int) -> None:
        super().__init__(created)
        self.number = 0
        self.sum = 0
        self.last = (0, 0)


@dataclass(frozen=True)
class Shape:
    """`about` says what it is, and `share` which share of the documented shape is measured."""

    name: str
    about: str
    share: str
    kinds: tuple[Kind, ...]

    @property
    def streams(self) -> int:
        return sum(kind.streams for kind in self.kinds)

    @property
    def events(self) -> int:
        return sum(kind.streams * kind.events for kind in self.kinds)


def _line(index: int) -> str:
    return _LINE.format(index)


def _foreign(index: int) -> str:
    return f"[2026-01-01 00:00:00] {{logging_mixin.py:188}} INFO - Straße {index} 東京 {'日本語' * 5} 🚀"


def _megabyte(index: int) -> str:
    return ("x" if index % 2 else "ä") * (1_000_000 if index % 2 else 500_000) + str(index)


def shapes(scale: float) -> list[Shape]:
    """At `scale` 1 as docs/benchmarks.md has them."""

    def some(number: int) -> int:
        return max(1, round(number * scale))

    return [
        Shape("many", "20,000 streams of 40 events", f"{some(2000)} streams", (Kind("s", some(2000), 40, _line),)),
        Shape("big", "50 streams of 200,000 events", f"{some(50)} streams", (Kind("b", some(50), 200_000, _line, 10),)),
        Shape(
            "mixed",
            "a mixture with events of 1 MB and other scripts than Latin",
            f"{some(1000) + some(10) + some(10)} streams",
            (
                Kind("s", some(1000), 40, _foreign),
                Kind("l", some(10), 60, _megabyte),
                Kind("b", some(10), 100_000, _foreign, 10),
            ),
        ),
    ]


class ShapeService(LogService):
    """A LogService with one shape in its source's group, light enough to leave the machine to the copy."""

    def __init__(self, shape: Shape, begin: int) -> None:
        super().__init__()
        group = self.group(SOURCE)
        for kind in shape.kinds:
            for number in range(kind.streams):
                name = f"dag_id={kind.name}/run_id=scheduled__2026-01-01/task_id=t{number:06d}/attempt=1.log"
                stream = Generated(begin, kind)
                group.streams[name] = stream
                group.stored_bytes += kind.events * (size(kind.text(0)) + PER_EVENT)
        self._pages: dict[Kind, list[int]] = {}
        self._bodies: dict[tuple[Kind, int, int], list[str]] = {}
        self.group(TARGET)

    def bound(self) -> float:
        """Seconds that the quotas set, if all calls were known beforehand and all kinds of calls made at once.

        Small streams are read a hundred at a time, those of more than a page one by one; the end of a stream is known
        by a call more (GetLogEvents). Each stream is listed, created, and written in as few batches as it can be.
        """
        calls: dict[str, float] = dict.fromkeys(QUOTAS, 0.0)
        small_events = small_bytes = small = 0
        for stream in self.groups[SOURCE].streams.values():
            assert isinstance(stream, Generated)
            pages = len(self._starts(stream)) - 1
            calls["CreateLogStream"] += 1
            calls["DescribeLogStreams"] += 1 / 50
            calls["PutLogEvents"] += pages
            if pages > 1:
                calls["GetLogEvents"] += pages + 1
            else:
                small += 1
                small_events += stream.number
                small_bytes += stream.number * (size(stream.text(0)) + PER_EVENT)
        calls["FilterLogEvents"] = max(small / _TOGETHER, small_events / PAGE_EVENTS, small_bytes / PAGE_BYTES)
        return max(number / QUOTAS[operation] for operation, number in calls.items())

    def incomplete(self) -> Iterator[str]:
        """Streams whose events are not in the target once, whole and in order, except events that are too old."""
        there = self.groups[TARGET].streams
        sums: dict[Kind, int] = {}
        for name, stream in self.groups[SOURCE].streams.items():
            assert isinstance(stream, Generated)
            if stream.kind not in sums:
                sums[stream.kind] = sum(
                    hash((stream.begin + index * stream.step, stream.text(index))) for index in range(stream.number)
                )
            found = there.get(name)
            if not isinstance(found, Counted) or (found.number, found.sum) != (stream.number, sums[stream.kind]):
                yield name

    def new_stream(self) -> Stream:
        return Counted(self._now())

    def _GetLogEvents(self, request: Body) -> Any:  # noqa: N802
        stream = self._stream(request, request["logStreamName"])
        assert isinstance(stream, Generated)
        token = request.get("nextToken", "f/0")
        at = int(token[2:])
        starts = self._starts(stream)
        end = next((start for start in starts if start > at), at)
        events = ",".join(self._events(stream, at, end))
        return f'{{"events":[{events}],"nextForwardToken":"f/{end}","nextBackwardToken":"b/{at}"}}'.encode()

    def _FilterLogEvents(self, request: Body) -> Any:  # noqa: N802
        """Streams one after the other in each page, because all of a kind have the same times."""
        at = int(request.get("nextToken", "0"))
        found: list[str] = []
        seen = total = 0
        for name in request["logStreamNames"]:
            stream = self._stream(request, name)
            assert isinstance(stream, Generated)
            if seen + stream.number <= at:
                seen += stream.number
                continue
            each = size(stream.text(0)) + PER_EVENT
            for index in range(max(0, at - seen), stream.number):
                total += each
                if len(found) == PAGE_EVENTS or (found and total > PAGE_BYTES):
                    return _filtered(found, str(seen + index))
                (event,) = self._events(stream, index, index + 1)
                found.append(f'{event[:-1]},"logStreamName":"{name}"}}')
            seen += stream.number
        return _filtered(found, None)

    def _PutLogEvents(self, request: Body) -> Body:  # noqa: N802
        stream = self._stream(request, request["logStreamName"])
        assert isinstance(stream, Counted)
        events = [(event["timestamp"], event["message"]) for event in request["logEvents"]]
        self._check(events)
        stream.number += len(events)
        stream.sum += sum(map(hash, events))
        return {}

    def _starts(self, stream: Generated) -> list[int]:
        if stream.kind not in self._pages:
            self._pages[stream.kind] = stream.pages()
        return self._pages[stream.kind]

    def _events(self, stream: Generated, begin: int, end: int) -> list[str]:
        """Events as JSON, kept: all streams of a kind have the same."""
        key = (stream.kind, begin, end)
        if key not in self._bodies:
            self._bodies[key] = [
                json.dumps(
                    {
                        "timestamp": stream.begin + index * stream.step,
                        "message": stream.text(index),
                        "ingestionTime": stream.begin,
                    }
                )
                for index in range(begin, end)
            ]
        return self._bodies[key]


def _filtered(events: list[str], token: str | None) -> bytes:
    more = f',"nextToken":"{token}"' if token else ""
    return f'{{"events":[{",".join(events)}]{more}}}'.encode()
