"""Lists of S3 objects that look at the keys with the wanted prefix alone.

moto copies a bucket's keys for each list, and for one of versions their contents too, which takes longer than all
else in a bucket that many environments share. And for each key it parses the time that it has just written.
"""

from __future__ import annotations

import functools
from typing import Any

from botocore.utils import parse_to_aware_datetime
from moto.core import serialize
from moto.s3.models import FakeBucket, S3Backend
from moto.s3.utils import _VersionedKeyStore

_list_objects = S3Backend.list_objects
_list_object_versions = S3Backend.list_object_versions
_parse_time = functools.lru_cache(maxsize=4096)(parse_to_aware_datetime)


def install() -> None:
    """Changes moto for the whole process."""
    S3Backend.list_objects = _objects  # type: ignore[method-assign]
    S3Backend.list_object_versions = _object_versions  # type: ignore[assignment,method-assign]
    serialize.parse_to_aware_datetime = _parse_time  # type: ignore[attr-defined]


def _objects(self: S3Backend, bucket: FakeBucket, prefix: str | None, *rest: Any, **named: Any) -> Any:
    return _list_objects(self, _with_prefix(bucket, prefix), prefix, *rest, **named)


class _OneBucket:
    """As much of a back end as its list of versions needs."""

    def __init__(self, bucket: FakeBucket) -> None:
        self._bucket = bucket

    def get_bucket(self, bucket_name: str) -> FakeBucket:
        return self._bucket


def _object_versions(self: S3Backend, bucket_name: str, **named: Any) -> Any:
    bucket = _with_prefix(self.get_bucket(bucket_name), named.get("prefix"))
    return _list_object_versions(_OneBucket(bucket), bucket_name, **named)  # type: ignore[arg-type]


def _with_prefix(bucket: FakeBucket, prefix: str | None) -> FakeBucket:
    if not prefix:
        return bucket
    # A copy, because other threads add keys meanwhile.
    keys = {name: versions for name, versions in dict(bucket.keys).items() if name.startswith(prefix)}
    # Not made by its class, which keeps each instance until moto is reset.
    narrowed = object.__new__(type(bucket))
    vars(narrowed).update(vars(bucket), keys=_VersionedKeyStore(keys))
    return narrowed
