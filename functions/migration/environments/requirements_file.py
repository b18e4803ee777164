"""The requirements.txt that an environment is installed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.airflow import pip_requirements
from migration.environments import s3_objects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def text_of(found: dict[str, Any], bucket: str, s3: S3Client) -> str:
    """Its text at the version that the environment (`found`, GetEnvironment's answer) pins; empty where it has none.

    `bucket` is the environment's, `s3` a client of its region. Raises ResourceMissing.
    """
    key = found.get("RequirementsS3Path")
    if not key:
        return ""
    pinned = s3_objects.pin(s3, bucket, key, found.get("RequirementsS3ObjectVersion"))
    text, _ = pip_requirements.decoded(s3_objects.read(s3, bucket, pinned))
    return text
