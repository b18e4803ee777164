"""Objects of the environments' buckets: pinned, read and deleted. What writes them is `bucket_writer`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from migration.aws.client_errors import code_of, is_transient
from migration.errors import DeleteRefused, ResourceMissing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


# DeleteObjects' limit.
_ONE_DELETE = 1000
# DeleteObjects takes its keys as XML, in which most control characters cannot be written.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class Source(NamedTuple):
    """An object and the version that is copied; None: the one that is current then."""

    key: str
    version: str | None
    etag: str
    size: int


def folder(path: str) -> str:
    """A DAG folder as a prefix with one slash at its end."""
    return path.strip("/") + "/"


def pin(s3: S3Client, bucket: str, key: str, version: str | None) -> Source:
    """One object at a version (None: the current one). Raises ResourceMissing."""
    pinned = {"VersionId": version} if version else {}
    try:
        head = s3.head_object(Bucket=bucket, Key=key, **pinned)  # type: ignore[arg-type]
    except ClientError as error:
        if code_of(error) in ("404", "NoSuchKey", "NoSuchVersion", "400"):
            raise ResourceMissing(
                f"s3://{bucket}/{key}, version {version or 'latest'}, does not exist, but the source environment names "
                "it. Put it back, or correct the environment."
            ) from error
        raise
    return Source(key, version or head.get("VersionId"), head["ETag"], head["ContentLength"])


def read(s3: S3Client, bucket: str, source: Source) -> bytes:
    """A small object at its pinned version."""
    pinned = {"VersionId": source.version} if source.version else {}
    body = s3.get_object(Bucket=bucket, Key=source.key, **pinned)["Body"]  # type: ignore[arg-type]
    return body.read()


def remove_folder(s3: S3Client, bucket: str, path: str) -> int:
    """Deletes the current objects under a prefix that was made for a throw-away target. Returns their number."""
    removed = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder(path)):
        keys = [item["Key"] for item in page.get("Contents", [])]
        delete(s3, bucket, keys)
        removed += len(keys)
    return removed


def delete(s3: S3Client, bucket: str, keys: Iterable[str]) -> None:
    """Deletes current objects; those that are gone already do no harm. In a versioned bucket their versions stay.

    Raises:
        DeleteRefused: S3 refuses to delete some of them.
        ClientError: S3 refuses the request, or could not delete some of them now.
    """
    together = []
    for key in keys:
        if _NOT_IN_XML.search(key):
            s3.delete_object(Bucket=bucket, Key=key)
        else:
            together.append(key)
    for first in range(0, len(together), _ONE_DELETE):
        batch = together[first : first + _ONE_DELETE]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True})
        # The errors of single objects are in an answer that is a success.
        failures = [
            ClientError(
                {"Error": {"Code": error["Code"], "Message": error["Message"]}}, f"DeleteObjects of {error['Key']}"
            )
            for error in answer.get("Errors", [])
        ]
        lasting = [failure for failure in failures if not is_transient(failure)]
        if lasting:
            raise DeleteRefused(
                f"{len(lasting)} of {len(batch)} objects in s3://{bucket} could not be deleted, the first in "
                f"{lasting[0]}. Give the stack's DagBucketArns the bucket, and let the bucket's policy allow it."
            )
        if failures:
            raise failures[0]
