"""The rehearsals of a source, oldest first: what their reports show as a trend.

The reports themselves are deleted by age; each rehearsal rewrites this object, and it stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from migration.errors import TransientError
from migration.exchange import json_object, layout
from migration.exchange.json_object import Tagged

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from migration.model import Migration

# A year of weekly ones.
_KEPT = 52
_ATTEMPTS = 5


class Rehearsal(TypedDict):
    """As in report.schema.json, `rehearsals`: `time` is ISO 8601 in UTC, `verdict` pass, warn or fail."""

    time: str
    migration_id: str
    verdict: str
    downtime_seconds: float
    environment_class: NotRequired[str]
    price_usd: NotRequired[float]


class History:
    """The rehearsals of one source."""

    def __init__(self, s3: S3Client, migration: Migration) -> None:
        source = migration["source"]
        self._s3 = s3
        self._bucket = migration["bucket"]
        self._key = layout.rehearsals(source["region"], source["environment"])
        self._id = migration["id"]

    def earlier(self) -> list[Rehearsal]:
        """The rehearsals before this migration, oldest first."""
        return self._others(json_object.read(self._s3, self._bucket, self._key))

    def add(self, report: Mapping[str, Any], verdict: str) -> None:
        """Notes this one's report; a second report of it takes the first one's place. Raises TransientError."""
        this = Rehearsal(
            time=report["time"],
            migration_id=self._id,
            verdict=verdict,
            downtime_seconds=report["downtime_seconds"],
        )
        if "environment_class" in report:
            this["environment_class"] = report["environment_class"]
        if "price_usd" in report:
            this["price_usd"] = report["price_usd"]
        for _ in range(_ATTEMPTS):
            found = json_object.read(self._s3, self._bucket, self._key)
            rehearsals = [*self._others(found), this][-_KEPT:]
            if json_object.write(self._s3, self._bucket, self._key, rehearsals, over=found) is not None:
                return
        raise TransientError(f"s3://{self._bucket}/{self._key} was changed by another {_ATTEMPTS} times.")

    def _others(self, found: Tagged | None) -> list[Rehearsal]:
        return [item for item in found.content if item["migration_id"] != self._id] if found else []
