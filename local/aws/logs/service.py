"""CloudWatch Logs as its API reference describes it, in memory: limits, pages, rejections, retention, quotas.

moto's is not enough to copy logs from and to: it takes batches and gives pages of any size, has no quotas and no
retention, and answers with the index of the last rejected event where the API has the one after it.
"""

from __future__ import annotations

import bisect
import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from moto.logs.utils import EventMessageFilter

from local.aws.logs.quotas import TokenBucket
from local.aws.logs.streams import PER_EVENT, Group, Stored, Stream, page_of, size
from local.aws.responses import AwsError

Body = dict[str, Any]

PAGE_EVENTS = 10_000
BATCH_BYTES = 1_048_576
BATCH_EVENTS = 10_000
DAY = 24 * 60 * 60 * 1000
AHEAD = 2 * 60 * 60 * 1000
_PAGE_STREAMS = 50
_PAGE_GROUPS = 50


class LogService:
    """The service in one region. It throttles nothing until `limit` is called. Not for several threads at once.

    Attributes:
        calls: how many were answered, by operation; throttled ones aside.
        late: seconds until what was written can be read.
        untimed: seconds until the times of a stream's events are told; in an account within an hour, typically.
        empty_pages: whether each page is preceded by an empty one, as happens in an account.
        trouble: what a test makes go wrong: called with the operation and the request before it is carried out.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.groups: dict[str, Group] = {}
        self.calls: Counter[str] = Counter()
        self.throttles: Counter[str] = Counter()
        self.late = 0.0
        self.untimed = 0.0
        self.empty_pages = False
        self.page_events = PAGE_EVENTS
        self.largest_event = 1_048_576
        self.trouble: Callable[[str, Body], None] | None = None
        self._buckets: dict[str, TokenBucket] = {}
        self._sequence = 0

    def limit(self, quotas: dict[str, float]) -> None:
        """Throttles from now on; calls a second by operation, such as QUOTAS. Others have no limit."""
        self._buckets = {operation: TokenBucket(rate, self.clock) for operation, rate in quotas.items()}

    def call(self, operation: str, request: Body) -> Body:
        """Carries a call out, and returns its answer.

        Raises:
            AwsError: what the service answers instead of a result.
        """
        bucket = self._buckets.get(operation)
        if bucket is not None and not bucket.take():
            self.throttles[operation] += 1
            raise AwsError("ThrottlingException", "Rate exceeded")
        if self.trouble is not None:
            self.trouble(operation, request)
        self.calls[operation] += 1
        handler: Callable[[Body], Body] | None = getattr(self, f"_{operation}", None)
        if handler is None:
            raise AwsError("UnknownOperationException", f"CloudWatch Logs has no {operation} here", 404)
        return handler(request)

    # For whoever fills it and looks into it.

    def group(self, name: str, **settings: Any) -> Group:
        return self.groups.setdefault(name, Group(**settings))

    def fill(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Puts events into a stream however old they are, as they would be there after weeks."""
        to = self.group(group)
        made = to.streams.setdefault(stream, Stream(self._now()))
        made.add(self._store(events, late=0))
        made.ingested = self._now()
        to.stored_bytes += sum(size(message) + PER_EVENT for _, message in events)

    def content(self, group: str) -> dict[str, list[tuple[int, str]]]:
        """The events of each stream in the order in which they are read."""
        return {name: stream.content() for name, stream in self.groups[group].streams.items()}

    # The operations.

    def _DescribeLogGroups(self, request: Body) -> Body:  # noqa: N802
        prefix = request.get("logGroupNamePrefix") or ""
        names = [name for name in sorted(self.groups) if name.startswith(prefix)]
        page, more = _numbered_page(names, request, _PAGE_GROUPS)
        return {"logGroups": [self._described(name) for name in page], **more}

    def _described(self, name: str) -> Body:
        group = self.groups[name]
        body: Body = {"logGroupName": name, "storedBytes": group.stored_bytes}
        if group.retention:
            body["retentionInDays"] = group.retention
        if group.key:
            body["kmsKeyId"] = group.key
        return body

    def _CreateLogGroup(self, request: Body) -> Body:  # noqa: N802
        if request["logGroupName"] in self.groups:
            raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists")
        self.groups[request["logGroupName"]] = Group(key=request.get("kmsKeyId"))
        return {}

    def _DeleteLogGroup(self, request: Body) -> Body:  # noqa: N802
        self._group(request)
        del self.groups[_name(request)]
        return {}

    def _PutRetentionPolicy(self, request: Body) -> Body:  # noqa: N802
        self._group(request).retention = request["retentionInDays"]
        return {}

    def _DescribeLogStreams(self, request: Body) -> Body:  # noqa: N802
        streams = self._group(request).streams
        prefix = request.get("logStreamNamePrefix") or ""
        names = sorted(name for name in streams if name.startswith(prefix)) if prefix else sorted(streams)
        descending = bool(request.get("descending"))
        if request.get("orderBy", "LogStreamName") == "LastEventTime":

            def latest(name: str) -> int:
                span = streams[name].span()
                untimed = streams[name].ingested > self._now() - 1000 * self.untimed
                return span[1] if span and not untimed else 0

            names.sort(key=latest, reverse=descending)
        elif descending:
            names.reverse()
        page, more = _numbered_page(names, request, _PAGE_STREAMS)
        found = []
        for name in page:
            body: Body = {"logStreamName": name, "creationTime": streams[name].created, "storedBytes": 0}
            span = streams[name].span()
            if span is not None and streams[name].ingested <= self._now() - 1000 * self.untimed:
                body |= {
                    "firstEventTimestamp": span[0],
                    "lastEventTimestamp": span[1],
                    "lastIngestionTime": streams[name].ingested,
                }
            found.append(body)
        return {"logStreams": found, **more}

    def _CreateLogStream(self, request: Body) -> Body:  # noqa: N802
        streams = self._group(request).streams
        if request["logStreamName"] in streams:
            raise AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")
        streams[request["logStreamName"]] = self.new_stream()
        return {}

    def new_stream(self) -> Stream:
        return Stream(self._now())

    def _DeleteLogStream(self, request: Body) -> Body:  # noqa: N802
        self._stream(request, request["logStreamName"])
        del self._group(request).streams[request["logStreamName"]]
        return {}

    def _GetLogEvents(self, request: Body) -> Body:  # noqa: N802
        stream = self._stream(request, request["logStreamName"])
        events = stream.visible(request.get("startTime", 0), request.get("endTime", 2**62), self.clock())
        most = min(self.page_events, request.get("limit", self.page_events))
        token = request.get("nextToken") or "f/0"
        at = int(token.split("/")[1])
        if "nextToken" not in request and not request.get("startFromHead"):
            # The latest events that fit into a page.
            at = len(events) - len(list(page_of(events[: -most - 1 : -1])))
        if self.empty_pages and not token.endswith("e") and at < len(events):
            return {"events": [], "nextForwardToken": f"f/{at}/e", "nextBackwardToken": "b"}
        page = list(page_of(events[at : at + most]))
        following = f"f/{at + len(page)}" if page else token
        return {
            "events": [event.body() for event in page],
            "nextForwardToken": following,
            "nextBackwardToken": f"b/{at}",
        }

    def _FilterLogEvents(self, request: Body) -> Body:  # noqa: N802
        names = request.get("logStreamNames")
        if names is None:
            prefix = request.get("logStreamNamePrefix") or ""
            names = [name for name in self._group(request).streams if name.startswith(prefix)]
        elif len(names) > 100:
            raise AwsError("InvalidParameterException", "logStreamNames: at most 100")
        start, end = request.get("startTime", 0), request.get("endTime", 2**62) + 1
        wanted = EventMessageFilter(request.get("filterPattern") or "")
        events = sorted(
            (event, name)
            for name in names
            for event in self._stream(request, name).visible(start, end, self.clock())
            if wanted.matches(event.message)
        )
        most = min(self.page_events, request.get("limit", self.page_events))
        token = request.get("nextToken") or "0"
        at = int(token.split("/")[0])
        if self.empty_pages and not token.endswith("e") and at < len(events):
            return {"events": [], "nextToken": f"{at}/e"}
        size = len(list(page_of([event for event, _ in events[at : at + most]])))
        page = [{**event.body(), "logStreamName": name, "eventId": str(at)} for event, name in events[at : at + size]]
        more = {"nextToken": str(at + size)} if at + size < len(events) else {}
        return {"events": page, "searchedLogStreams": [], **more}

    def _PutLogEvents(self, request: Body) -> Body:  # noqa: N802
        group, stream = self._group(request), self._stream(request, request["logStreamName"])
        events = [(event["timestamp"], event["message"]) for event in request["logEvents"]]
        self._check(events)
        now = self._now()
        retained = now - (group.retention or 100_000) * DAY
        times = [at for at, _ in events]
        expired = bisect.bisect_left(times, retained)
        old = bisect.bisect_left(times, now - 14 * DAY)
        new = bisect.bisect_right(times, now + AHEAD)
        valid = events[max(expired, old) : new]
        if valid and valid[-1][0] - valid[0][0] > DAY:
            raise AwsError("InvalidParameterException", "The batch of log events cannot span more than 24 hours.")
        stream.add(self._store(valid, self.late))
        stream.ingested = now
        rejected = {}
        if expired:
            rejected["expiredLogEventEndIndex"] = expired
        if old:
            rejected["tooOldLogEventEndIndex"] = old
        if new < len(events):
            rejected["tooNewLogEventStartIndex"] = new
        return {"rejectedLogEventsInfo": rejected} if rejected else {}

    def _check(self, events: list[tuple[int, str]]) -> None:
        sizes = [size(text) for _, text in events]
        if not events or len(events) > BATCH_EVENTS:
            raise AwsError("InvalidParameterException", f"1 to {BATCH_EVENTS} log events, not {len(events)}")
        if 0 in sizes:
            raise AwsError("InvalidParameterException", "Member must have length greater than or equal to 1")
        if max(sizes) + PER_EVENT > self.largest_event:
            raise AwsError(
                "InvalidParameterException",
                f"Log event too large: {max(sizes) + PER_EVENT} bytes exceeds limit of {self.largest_event}",
            )
        if sum(sizes) + PER_EVENT * len(events) > BATCH_BYTES:
            raise AwsError("InvalidParameterException", "Upload too large")
        if any(later < earlier for (earlier, _), (later, _) in itertools.pairwise(events)):
            raise AwsError("InvalidParameterException", "Log events must be in chronological order.")

    def _store(self, events: Sequence[tuple[int, str]], late: float) -> list[Stored]:
        now, visible = self._now(), self.clock() + late if late else 0.0
        stored = []
        for at, message in events:
            self._sequence += 1
            stored.append(Stored(at, self._sequence, message, now, visible))
        return stored

    def _group(self, request: Body) -> Group:
        group = self.groups.get(_name(request))
        if group is None:
            raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
        return group

    def _stream(self, request: Body, name: str) -> Stream:
        stream = self._group(request).streams.get(name)
        if stream is None:
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        return stream

    def _now(self) -> int:
        return int(self.clock() * 1000)


def _name(request: Body) -> str:
    """The group that a request names, or gives the ARN of."""
    if "logGroupName" in request:
        return str(request["logGroupName"])
    return str(request.get("logGroupIdentifier", "")).partition(":log-group:")[2].removesuffix(":*")


def _numbered_page(names: Sequence[str], request: Body, most: int) -> tuple[Sequence[str], Body]:
    """A page of a list, whose tokens are positions, and the token of the next one."""
    at, most = int(request.get("nextToken") or 0), min(most, request.get("limit", most))
    return names[at : at + most], {"nextToken": str(at + most)} if at + most < len(names) else {}
