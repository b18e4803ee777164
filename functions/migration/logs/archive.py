"""Events that CloudWatch does not take, kept in the exchange bucket: one object a stream, gzip, a JSON object a line.

A line is `{"timestamp", "ingestionTime", "message", "reason"}`, times in milliseconds since 1970. Large archives are
uploaded in parts; a copy that is interrupted keeps the parts and continues after them.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from migration.exchange import layout
from migration.logs.packing import Event

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# S3 takes parts of 5 MiB and more; only the last one may be smaller.
_PART = 6 * 1024 * 1024
# Lines that are compressed at once.
_LINES = 2000


class Suspended(TypedDict):
    """An archive whose stream is not finished: its upload, the parts' tags, and where the bytes behind them lie."""

    upload: str | None
    parts: list[str]
    tail: str


@dataclass(frozen=True)
class Archives:
    """Where a copy's archives are: `prefix` without a slash at its end."""

    s3: S3Client
    bucket: str
    prefix: str

    def open(self, group: str, stream: str, suspended: Suspended | None) -> Archive:
        """The archive of a stream of the source, continued where it was suspended."""
        return Archive(self.s3, self.bucket, f"{self.prefix}/{layout.log_archive(group, stream)}", suspended)


class Archive:
    """The archive of one stream. Nothing is stored while nothing is added."""

    def __init__(self, s3: S3Client, bucket: str, key: str, suspended: Suspended | None = None) -> None:
        self._s3 = s3
        self._bucket = bucket
        self.key = key
        self._lines: list[str] = []
        self._compressed = bytearray()
        self._upload: str | None = None
        self._parts: list[str] = []
        if suspended is not None:
            self._upload, self._parts = suspended["upload"], list(suspended["parts"])
            self._compressed += s3.get_object(Bucket=bucket, Key=suspended["tail"])["Body"].read()

    @property
    def empty(self) -> bool:
        return not (self._lines or self._compressed or self._upload)

    def add(self, events: list[Event], reason: str) -> None:
        for event in events:
            line = {key: event[key] for key in ("timestamp", "ingestionTime", "message") if key in event}
            self._lines.append(json.dumps({**line, "reason": reason}))
            if len(self._lines) >= _LINES or len(line["message"]) > _PART // _LINES:
                self._compress()
        if len(self._compressed) >= _PART:
            self._send_part()

    def suspend(self) -> Suspended | None:
        """Stores what has been added, for an archive that another invocation continues."""
        if self.empty:
            return None
        self._compress()
        tail = f"{self.key}.tail"
        self._s3.put_object(Bucket=self._bucket, Key=tail, Body=bytes(self._compressed))
        return Suspended(upload=self._upload, parts=self._parts, tail=tail)

    def close(self) -> str | None:
        """Completes the object; its key, or None where nothing was added."""
        if self.empty:
            return None
        self._compress()
        if self._upload is None:
            self._s3.put_object(
                Bucket=self._bucket, Key=self.key, Body=bytes(self._compressed), ContentType="application/gzip"
            )
        else:
            if self._compressed:
                self._send_part()
            parts: Any = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(self._parts, 1)]
            self._s3.complete_multipart_upload(
                Bucket=self._bucket, Key=self.key, UploadId=self._upload, MultipartUpload={"Parts": parts}
            )
        return self.key

    def _compress(self) -> None:
        """Each call makes a member of its own; members one after the other are one gzip file (RFC 1952)."""
        if self._lines:
            text = "\n".join(self._lines) + "\n"
            self._compressed += gzip.compress(text.encode(), compresslevel=6, mtime=0)
            self._lines = []

    def _send_part(self) -> None:
        if self._upload is None:
            made = self._s3.create_multipart_upload(Bucket=self._bucket, Key=self.key, ContentType="application/gzip")
            self._upload = made["UploadId"]
        answer = self._s3.upload_part(
            Bucket=self._bucket,
            Key=self.key,
            UploadId=self._upload,
            PartNumber=len(self._parts) + 1,
            Body=bytes(self._compressed),
        )
        self._parts.append(answer["ETag"])
        self._compressed.clear()
