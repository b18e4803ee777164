"""An object of S3 that may not be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from migration.aws.client_errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Stored(NamedTuple):
    """An object's bytes, and the tag that S3 gave this version of it."""

    body: bytes
    etag: str


def read(s3: S3Client, bucket: str, key: str) -> Stored | None:
    """The object as it is now, or None where there is none. Raises ClientError for anything else."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if code_of(error) == "NoSuchKey":
            return None
        raise
    return Stored(answer["Body"].read(), answer["ETag"])
