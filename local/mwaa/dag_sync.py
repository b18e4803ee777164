"""Keeps an environment's DAG folders as the one in S3 is: every second, where Amazon MWAA does it every thirty.

On Amazon MWAA the scheduler, each worker and the web server synchronise for themselves. Here the scheduler comes first.
"""

from __future__ import annotations

import functools
import logging
import math
import time
import zipfile
from collections import deque
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.repeating import Repeating
from local.mwaa import dag_folders
from local.mwaa.dag_folders import DagFolders

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

_INTERVAL = 1.0

#: The contents of files by their path in the folder; None for those that are gone.
_Changes = Mapping[str, "bytes | None"]


class _Folder:
    """One folder, which changes so many seconds after the bucket was read."""

    def __init__(self, path: Path, delay: Callable[[], float]) -> None:
        self._path = path
        self._delay = delay
        self._expected: deque[tuple[float, _Changes]] = deque()

    def expect(self, changes: _Changes) -> None:
        self._expected.append((time.monotonic(), changes))

    def change(self, now: float) -> None:
        """Makes the changes that are due."""
        self._path.mkdir(parents=True, exist_ok=True)
        while self._expected and self._expected[0][0] + self._delay() <= now:
            for relative, content in self._expected.popleft()[1].items():
                self._write(self._path / relative, content)

    def _write(self, file: Path, content: bytes | None) -> None:
        if content is None:
            file.unlink(missing_ok=True)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        # Nobody must see half a file.
        partial = file.with_name(f".{file.name}.partial")
        partial.write_bytes(content)
        partial.replace(file)


class DagSync:
    """Copies what is new or changed under a prefix, and removes what is gone from there."""

    def __init__(
        self,
        s3: Callable[[], S3Client],
        bucket: str,
        prefix: str,
        folders: DagFolders,
        last_write: Callable[[str], int],
    ) -> None:
        """
        Args:
            last_write: a number for a bucket; while it stays the same, the bucket is not listed, which takes moto long.
        """
        self._s3 = functools.cache(s3)
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        delay = dag_folders.delay_seconds
        self._folders = [
            _Folder(folders.scheduler, lambda: 0), _Folder(folders.workers, delay), _Folder(folders.web_server, delay),
        ]  # fmt: skip
        self._known: dict[str, str] = {}
        self._last_write = last_write
        self._synchronised: int | None = None
        self._following = Repeating(self._follow, _INTERVAL, f"DAGs of {bucket}")

    def start(self) -> None:
        """Returns when all folders are as the bucket; what changes later arrives in the background.

        Raises:
            botocore.exceptions.ClientError: the execution role cannot read the folder.
        """
        self._synchronise()
        self._change_folders(math.inf)
        self._following.start()

    def stop(self) -> None:
        self._following.stop()

    def _follow(self) -> None:
        try:
            if self._last_write(self._bucket) != self._synchronised:
                self._synchronise()
            self._change_folders(time.monotonic())
        except (ClientError, BotoCoreError) as error:
            logger.warning("DAGs of s3://%s/%s: %s", self._bucket, self._prefix, error)

    def _synchronise(self) -> None:
        # Read first: what is written while the bucket is listed is for the next time.
        written = self._last_write(self._bucket)
        client = self._s3()
        found: dict[str, str] = {}
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        for page in pages:
            for stored in page.get("Contents", []):
                relative = stored["Key"][len(self._prefix) :]
                if relative and not relative.endswith("/") and _stays_inside(relative):
                    found[relative] = stored["ETag"]
        changes: dict[str, bytes | None] = dict.fromkeys(self._known.keys() - found.keys())
        for relative in [name for name, etag in found.items() if self._known.get(name) != etag]:
            changes[relative] = client.get_object(Bucket=self._bucket, Key=self._prefix + relative)["Body"].read()
        for folder in self._folders:
            folder.expect(changes)
        self._known = found
        self._synchronised = written

    def _change_folders(self, now: float) -> None:
        for folder in self._folders:
            folder.change(now)


def unpack_plugins(s3: S3Client, bucket: str, key: str, version: str | None, folder: Path) -> None:
    """Unpacks the plugins' archive into a folder.

    Raises:
        botocore.exceptions.ClientError: the execution role cannot read it.
        zipfile.BadZipFile: it is not an archive.
    """
    chosen = {"VersionId": version} if version else {}
    content = s3.get_object(Bucket=bucket, Key=key, **chosen)["Body"].read()  # type: ignore[arg-type]
    with zipfile.ZipFile(BytesIO(content)) as archive:
        archive.extractall(folder)


def _stays_inside(relative: str) -> bool:
    path = PurePosixPath(relative)
    return not path.is_absolute() and ".." not in path.parts
