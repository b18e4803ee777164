"""The rehearsals of a source, one after the other: what their reports show as a trend.

    rehearsals/<region>/<source>.json              the last of them, oldest first

The reports themselves are deleted by age; this object is written anew by each rehearsal and stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from botocore.exceptions import ClientError

from .errors import TransientFault
from .faults import CONDITION_FAILED, code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from .planning import Migration

# A year of weekly ones.
_KEPT = 52
_ATTEMPTS = 5


class Rehearsal(TypedDict):
    """As in report.schema.json, `rehearsals`: `time` is ISO 8601 in UTC, `verdict` pass, warn or fail."""

    time: str
    migration_id: str
    verdict: str
    downtime_seconds: float


class History:
    """The rehearsals of one source."""

    def __init__(self, s3: S3Client, migration: Migration) -> None:
        source = migration["source"]
        self._s3 = s3
        self._bucket = migration["bucket"]
        self._key = f"rehearsals/{source['region']}/{source['environment']}.json"
        self._id = migration["id"]

    def earlier(self) -> list[Rehearsal]:
        """The rehearsals before this migration, oldest first."""
        return self._read()[0]

    def add(self, report: Mapping[str, Any], verdict: str) -> None:
        """Notes this one's report; a second report of it takes the first one's place. Raises TransientFault."""
        this = Rehearsal(
            time=report["time"],
            migration_id=self._id,
            verdict=verdict,
            downtime_seconds=report["downtime_seconds"],
        )
        for _ in range(_ATTEMPTS):
            earlier, etag = self._read()
            if self._write([*earlier, this][-_KEPT:], etag):
                return
        raise TransientFault(f"s3://{self._bucket}/{self._key} was changed by another {_ATTEMPTS} times.")

    def _read(self) -> tuple[list[Rehearsal], str | None]:
        """Those of other migrations, and the object's tag; None where there is no object."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._key)
        except ClientError as error:
            if code_of(error) == "NoSuchKey":
                return [], None
            raise
        found: list[Rehearsal] = json.loads(answer["Body"].read())
        return [item for item in found if item["migration_id"] != self._id], answer["ETag"]

    def _write(self, rehearsals: list[Rehearsal], etag: str | None) -> bool:
        """Writes if the object is still the one that was read, and tells whether it did."""
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=self._key,
                Body=json.dumps(rehearsals, indent=2).encode(),
                ContentType="application/json",
                **condition,  # type: ignore[arg-type]  # IfMatch or IfNoneMatch
            )
        except ClientError as error:
            if code_of(error) not in CONDITION_FAILED:
                raise
            return False
        return True
