"""What two places in Amazon S3 hold, object by object and row by row."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, cast
from urllib.parse import urlsplit

#: The bits that a sum of digests is kept in.
_MODULUS = 1 << 256


class NotAPlace(Exception):
    """A text is not a place in Amazon S3."""


@dataclass(frozen=True)
class Content:
    """What an object holds: its bytes, its ETag, its rows (lines), and what only the same rows have, in any order."""

    size: int
    etag: str
    rows: int
    digest: int


@dataclass(frozen=True)
class PlaceComparison:
    """Two places and their objects, by the keys below them."""

    old: str
    new: str
    old_objects: Mapping[str, Content]
    new_objects: Mapping[str, Content]

    @property
    def keys(self) -> list[str]:
        """The keys of either, sorted."""
        return sorted({*self.old_objects, *self.new_objects})

    def verdict(self, key: str) -> str:
        """How the objects of a key compare, in words."""
        old, new = self.old_objects.get(key), self.new_objects.get(key)
        if old is None:
            return "only in the new place"
        if new is None:
            return "only in the old place"
        if (old.size, old.etag) == (new.size, new.etag):
            return "same"
        return "same rows" if (old.rows, old.digest) == (new.rows, new.digest) else "different"

    @property
    def has_same_rows(self) -> bool:
        """Whether the places hold the same rows, each as often, in whichever objects and order."""
        old, new = list(self.old_objects.values()), list(self.new_objects.values())
        return rows(old) == rows(new) and _digest(old) == _digest(new)


def compare(client: Any, old: str, new: str) -> PlaceComparison:
    """Reads every object below two S3 URIs.

    Raises:
        NotAPlace: one of them is no S3 URI.
        botocore.exceptions.ClientError: S3 refuses.
    """
    return PlaceComparison(old, new, dict(_contents(client, old)), dict(_contents(client, new)))


def rows(contents: Iterable[Content]) -> int:
    """How many rows some objects have together."""
    return sum(content.rows for content in contents)


def _digest(contents: Iterable[Content]) -> int:
    return sum(content.digest for content in contents) % _MODULUS


def _contents(client: Any, place: str) -> Iterator[tuple[str, Content]]:
    parts = urlsplit(place)
    if parts.scheme not in ("s3", "s3a", "s3n") or not parts.netloc:
        raise NotAPlace(f"{place!r} is not a place in Amazon S3: write s3://BUCKET/PREFIX.")
    bucket, prefix = parts.netloc, parts.path.lstrip("/")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            key = str(item["Key"])
            body = client.get_object(Bucket=bucket, Key=key)["Body"]
            count, digest = _read(body, is_compressed=key.endswith(".gz"))
            name = key.removeprefix(prefix).lstrip("/") or key.rsplit("/", 1)[-1]
            yield name, Content(int(item["Size"]), str(item["ETag"]).strip('"'), count, digest)


def _read(body: Any, *, is_compressed: bool) -> tuple[int, int]:
    """The number of an object's lines, and the sum of their digests."""
    count, digest = 0, 0
    lines: Iterable[bytes] = gzip.GzipFile(fileobj=cast(IO[bytes], body)) if is_compressed else body.iter_lines()
    for line in lines:
        count += 1
        digest += int.from_bytes(hashlib.sha256(line.rstrip(b"\r\n")).digest(), "big")
    return count, digest % _MODULUS
