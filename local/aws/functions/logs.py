"""Sends what functions print to CloudWatch Logs, with each function's own permissions, as Lambda does."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

logger = logging.getLogger(__name__)

#: PutLogEvents takes 10,000 events and 1 MiB, counting 26 bytes for each event.
_MAX_EVENTS = 1000
_MAX_BYTES = 1_000_000
#: CloudWatch's largest event, less what it counts on top.
_MAX_EVENT = 262_144 - 26


class FunctionLogs:
    """The log group of one function; lines are sent in the background, in order, batched.

    A role that may not write logs loses them, as on Lambda, where nothing fails for that.
    """

    def __init__(self, group: str, client: Callable[[], CloudWatchLogsClient]) -> None:
        self._group = group
        self._client = client
        self._lines: queue.Queue[tuple[str, int, str] | None] = queue.Queue()
        self._streams: set[str] = set()
        self._thread = threading.Thread(target=self._send, name=f"logs of {group}", daemon=True)
        self._thread.start()

    def write(self, stream: str, line: str) -> None:
        self._lines.put((stream, int(time.time() * 1000), line[:_MAX_EVENT] or " "))

    def close(self) -> None:
        """Sends what is left."""
        self._lines.put(None)
        self._thread.join(timeout=10)

    def _send(self) -> None:
        client = self._client()
        open_ = True
        while open_:
            first = self._lines.get()
            if first is None:
                return
            batch = [first]
            deadline = time.monotonic() + 0.3
            while len(batch) < _MAX_EVENTS:
                try:
                    line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    break
                if line is None:
                    open_ = False
                    break
                batch.append(line)
            for stream in dict.fromkeys(stream for stream, _, _ in batch):
                self._put(client, stream, [(at, text) for name, at, text in batch if name == stream])

    def _put(self, client: CloudWatchLogsClient, stream: str, lines: list[tuple[int, str]]) -> None:
        try:
            if stream not in self._streams:
                self._create(client, stream)
            events: list[Any] = []
            size = 0
            for at, text in lines:
                cost = len(text.encode()) + 26
                if size + cost > _MAX_BYTES:
                    client.put_log_events(logGroupName=self._group, logStreamName=stream, logEvents=events)
                    events, size = [], 0
                events.append({"timestamp": at, "message": text})
                size += cost
            client.put_log_events(logGroupName=self._group, logStreamName=stream, logEvents=events)
        except ClientError as error:
            logger.warning("logs of %s are lost: %s", self._group, error)

    def _create(self, client: CloudWatchLogsClient, stream: str) -> None:
        for attempt in (1, 2):
            try:
                client.create_log_stream(logGroupName=self._group, logStreamName=stream)
                self._streams.add(stream)
            except client.exceptions.ResourceAlreadyExistsException:
                self._streams.add(stream)
                return
            except client.exceptions.ResourceNotFoundException:
                if attempt == 2:
                    raise
                client.create_log_group(logGroupName=self._group)
            else:
                return
