"""Ships the files that Airflow's processes write to the environment's log groups, under MWAA's stream names.

Airflow's own handler writes task logs to CloudWatch where the version has one that works; the task logs of 1.10, and
all other logs, go this way.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.logs.batches import MAX_MESSAGE, batches
from local.aws.repeating import Repeating

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

logger = logging.getLogger(__name__)

_INTERVAL = 1.0
#: Bytes of a file that are read at once.
_MOST_BYTES = 8_000_000

#: (file, group's suffix, stream)
Shipped = tuple[Path, str, str]


class LogShipping:
    """Follows an environment's log files; each line becomes an event at the time at which it was read."""

    def __init__(
        self, logs: Callable[[], CloudWatchLogsClient], home: Path, environment: str, groups: set[str], task_files: bool
    ) -> None:
        """
        Args:
            groups: the suffixes of the log groups that there are: {"Task", "Scheduler"}.
            task_files: whether task logs are shipped too.
        """
        # Made at its first use, so that no environment waits for it.
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
        """Ships the rest, and ends."""
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
            content = opened.read(_MOST_BYTES)
        # A line is shipped when it is whole, unless no more will come.
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
        lines = (line[:MAX_MESSAGE].decode(errors="replace") for line in content[:whole].splitlines())
        for batch in batches((at, line) for line in lines if line.strip()):
            client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=batch)  # type: ignore[arg-type]
        self._offsets[file] = offset + whole
