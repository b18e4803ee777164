"""A JSON object in S3 that is written only if nobody else has written it since it was read (a conditional write).

S3 User Guide, "How to prevent object overwrites with conditional writes".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from migration.aws.client_errors import CONDITION_FAILED, code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Tagged(NamedTuple):
    """An object's content, and the tag that S3 gave this version of it."""

    content: Any
    etag: str


def read(s3: S3Client, bucket: str, key: str) -> Tagged | None:
    """The object as it is now, or None where there is none."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if code_of(error) == "NoSuchKey":
            return None
        raise
    return Tagged(json.loads(answer["Body"].read()), answer["ETag"])


def write(s3: S3Client, bucket: str, key: str, content: Any, *, over: Tagged | None) -> bool:
    """Writes in place of what was read (None: where there is no object yet), and tells whether that was still so."""
    body = json.dumps(content, indent=2).encode()
    condition = {"IfNoneMatch": "*"} if over is None else {"IfMatch": over.etag}
    try:
        s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=body,
            ContentType="application/json",
            **condition,  # type: ignore[arg-type]  # IfMatch or IfNoneMatch
        )
    except ClientError as error:
        if code_of(error) not in CONDITION_FAILED:
            raise
        return False
    return True


def delete(s3: S3Client, bucket: str, key: str, read_as: Tagged) -> None:
    """Deletes what was read; if it is another by now, that one stays."""
    try:
        s3.delete_object(Bucket=bucket, Key=key, IfMatch=read_as.etag)
    except ClientError as error:
        if code_of(error) not in CONDITION_FAILED:
            raise
