"""An artifact's location as people give it."""

from __future__ import annotations

import re

from mwaa_migrator.artifact.directory_storage import DirectoryStorage
from mwaa_migrator.artifact.s3_storage import S3Storage
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import InvalidArguments

_S3_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9])(?:/(?P<prefix>[^\r\n]*))?\Z")


def open_storage(url: str) -> Storage:
    """The place at a directory's path or at ``s3://bucket/prefix``.

    Raises InvalidArguments for another scheme, or for a bucket name that S3 does not allow.
    """
    if url and "://" not in url:
        return DirectoryStorage(url)
    match = _S3_URL.match(url)
    if not match:
        raise InvalidArguments(f"'{url}' is neither a directory nor s3://bucket/prefix. Correct the location.")
    return S3Storage(match.group("bucket"), (match.group("prefix") or "").strip("/"))
