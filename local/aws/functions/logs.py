"""Sends what functions print to CloudWatch Logs, with each function's own rights, as Lambda does."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from local.aws.logs.batches import MAX_MESSAGE, batches

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

logger = logging.getLogger(__name__)

#: Lines that are sent at once, at most.
_MOST_LINES = 1000
#: Seconds that a line waits for others.
_WAIT = 0.3


class FunctionLogs:
    """The log group of one function. Lines are sent in the background, in order and in batches.

    Where the role may not write logs they are lost, as on Lambda, and nothing fails for that.
    """

    def __init__(self, group: str, client: Callable[[], CloudWatchLogsClient]) -> None:
        self._group = group
        self._client = client
        self._lines: queue.Queue[tuple[str, int, str] | None] = queue.Queue()
        self._streams: set[str] = set()
        self._thread = threading.Thread(target=self._send, name=f"logs of {group}", daemon=True)
        self._thread.start()

    def write(self, stream: str, line: str) -> None:
        self._lines.put((stream, int(time.time() * 1000), line[:MAX_MESSAGE] or " "))

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
            deadline = time.monotonic() + _WAIT
            while len(batch) < _MOST_LINES:
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
            for batch in batches(lines):
                client.put_log_events(logGroupName=self._group, logStreamName=stream, logEvents=batch)  # type: ignore[arg-type]
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
