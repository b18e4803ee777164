"""Takes what Airflow's processes write into files to the environment's log groups, under MWAA's stream names.

Task logs go to CloudWatch by Airflow's own handler where the version has one that works; here go the others, and the
task logs of 1.10.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.repeating import Repeating

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

logger = logging.getLogger(__name__)

_INTERVAL = 1.0
_MAX_EVENTS = 10_000
_MAX_BYTES = 1_000_000
_PER_EVENT = 26
_MAX_EVENT = 262_144 - _PER_EVENT

#: (file, group's suffix, stream)
Shipped = tuple[Path, str, str]


class LogShipping:
    """Follows an environment's log files; every line becomes an event at the time when it was seen."""

    def __init__(
        self, logs: Callable[[], CloudWatchLogsClient], home: Path, environment: str, groups: set[str], task_files: bool
    ) -> None:
        """
        Args:
            groups: the suffixes of the groups that are enabled: {"Task", "Scheduler"}.
            task_files: whether the files of tasks are to be shipped too.
        """
        # Made when it is first needed, so that no environment waits for it.
        self._logs = functools.cache(logs)
        self._home = home
        self._environment = environment
        self._groups = groups
        self._task_files = task_files
        self._started = int(time.time())
        self._offsets: dict[Path, int] = {}
        self._streams: set[tuple[str, str]] = set()
        self._ended = False
        self._following = Repeating(self._ship_all, _INTERVAL, f"logs of {environment}")

    def start(self) -> None:
        self._following.start()

    def stop(self) -> None:
        """Ships what is left, and ends."""
        self._following.stop()
        self._ended = True
        self._ship_all()

    def _ship_all(self) -> None:
        for file, group, stream in self._files():
            if group not in self._groups:
                continue
            try:
                self._ship(self._logs(), file, f"airflow-{self._environment}-{group}", stream)
            except (ClientError, BotoCoreError, OSError) as error:
                logger.warning("%s of %s was not shipped: %s", file.name, self._environment, error)

    def _files(self) -> Iterator[Shipped]:
        for file in (self._home / "processes").glob("*.log"):
            group = {
                "api-server": "WebServer",
                "cli": "WebServer",
                "dag-processor": "DAGProcessing",
                "webserver": "WebServer",
            }.get(file.stem, "Scheduler")
            yield file, group, f"{file.stem.replace('-', '_')}_{self._environment}_{self._started}.log"
        logs = self._home / "logs"
        for folder in ("scheduler", "dag_processor"):
            for file in (logs / folder).glob("*/**/*.log"):
                if not file.is_symlink() and "latest" not in file.parts:
                    yield file, "DAGProcessing", f"scheduler_{file.name}"
        if self._task_files:
            for file in logs.glob("*/*/*/*.log"):
                if file.relative_to(logs).parts[0] not in ("scheduler", "dag_processor", "dag_processor_manager"):
                    yield file, "Task", str(file.relative_to(logs)).replace(":", "_")

    def _ship(self, client: CloudWatchLogsClient, file: Path, group: str, stream: str) -> None:
        offset = self._offsets.get(file, 0)
        if not file.exists() or file.stat().st_size <= offset:
            return
        with file.open("rb") as opened:
            opened.seek(offset)
            # A line is shipped when it is whole, unless no more will come.
            content = opened.read(8 * _MAX_BYTES)
        whole = len(content) if self._ended else content.rfind(b"\n") + 1
        if whole == 0:
            return
        if (group, stream) not in self._streams:
            try:
                client.create_log_stream(logGroupName=group, logStreamName=stream)
            except client.exceptions.ResourceAlreadyExistsException:
                logger.debug("%s was there", stream)
            self._streams.add((group, stream))
        at = int(time.time() * 1000)
        batch: list[Any] = []
        size = 0
        for line in content[:whole].splitlines():
            text = line[:_MAX_EVENT].decode(errors="replace")
            if not text.strip():
                continue
            cost = len(text.encode()) + _PER_EVENT
            if len(batch) == _MAX_EVENTS or size + cost > _MAX_BYTES:
                client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=batch)
                batch, size = [], 0
            batch.append({"timestamp": at, "message": text})
            size += cost
        if batch:
            client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=batch)
        self._offsets[file] = offset + whole
