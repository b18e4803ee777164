"""Keeps an environment's DAG folder as it is in S3: every second, where MWAA does it every thirty."""

from __future__ import annotations

import functools
import logging
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.repeating import Repeating

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

_INTERVAL = 1.0


class DagSync:
    """Copies what is new or changed under a prefix, and removes what is gone from there."""

    def __init__(
        self, s3: Callable[[], S3Client], bucket: str, prefix: str, folder: Path, last_write: Callable[[str], int]
    ) -> None:
        """
        Args:
            last_write: a number for a bucket; while it stays the same, the bucket is not listed, which takes moto long.
        """
        self._s3 = functools.cache(s3)
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._folder = folder
        self._known: dict[str, str] = {}
        self._last_write = last_write
        self._synchronised: int | None = None
        self._following = Repeating(self._follow, _INTERVAL, f"DAGs of {bucket}")

    def start(self) -> None:
        """Returns after the first synchronisation; the others happen in the background.

        Raises:
            botocore.exceptions.ClientError: the execution role cannot read the folder.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._synchronise()
        self._following.start()

    def stop(self) -> None:
        self._following.stop()

    def _follow(self) -> None:
        try:
            if self._last_write(self._bucket) != self._synchronised:
                self._synchronise()
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
        for relative in [name for name, etag in found.items() if self._known.get(name) != etag]:
            content = client.get_object(Bucket=self._bucket, Key=self._prefix + relative)["Body"].read()
            file = self._folder / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            # The scheduler must never see half a file.
            partial = file.with_name(f".{file.name}.partial")
            partial.write_bytes(content)
            partial.replace(file)
        for relative in self._known.keys() - found.keys():
            (self._folder / relative).unlink(missing_ok=True)
        self._known = found
        self._synchronised = written


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
