"""A JSON object that is written only if nobody else has written it since it was read (a conditional write).

S3 User Guide, "How to prevent object overwrites with conditional writes".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from migration.aws import s3_object
from migration.aws.client_errors import CONDITION_FAILED, code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Tagged(NamedTuple):
    """An object's content, and the tag that S3 gave this version of it."""

    content: Any
    etag: str


def read(s3: S3Client, bucket: str, key: str) -> Tagged | None:
    """The object as it is now, or None where there is none."""
    stored = s3_object.read(s3, bucket, key)
    return None if stored is None else Tagged(json.loads(stored.body), stored.etag)


def write(s3: S3Client, bucket: str, key: str, content: Any, *, over: Tagged | None) -> Tagged | None:
    """Writes in place of what was read (None: where there is no object yet).

    Returns what is there now, or None where another has written meanwhile, so that nothing was written.
    """
    condition = {"IfNoneMatch": "*"} if over is None else {"IfMatch": over.etag}
    try:
        answer = s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=json.dumps(content, separators=(",", ":")).encode(),
            ContentType="application/json",
            **condition,  # type: ignore[arg-type]  # IfMatch or IfNoneMatch
        )
    except ClientError as error:
        if code_of(error) not in CONDITION_FAILED:
            raise
        return None
    return Tagged(content, answer["ETag"])


def delete(s3: S3Client, bucket: str, key: str, read_as: Tagged) -> bool:
    """Deletes what was read; if it is another by now, that one stays, and this returns False."""
    try:
        s3.delete_object(Bucket=bucket, Key=key, IfMatch=read_as.etag)
    except ClientError as error:
        if code_of(error) not in CONDITION_FAILED:
            raise
        return False
    return True
