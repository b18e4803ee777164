"""What the functions and the engine have left in the exchange bucket, while a migration runs and afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from migration.aws.client_errors import code_of
from migration.report import contents

# Tasks of our runs whose time the report shows as that of phases.
_MEASURED = ("quiesce", "drain", "verify")


class Exchange:
    """The objects below two prefixes of the exchange bucket; by default all of it. Each object is read once."""

    def __init__(self, s3: Any, bucket: str, *, migrations: str = "migrations/", artifacts: str = "artifacts/") -> None:
        self._s3 = s3
        self.bucket = bucket
        self._migrations = migrations
        self._artifacts = artifacts
        self._read: dict[tuple[str, str], dict[str, Any]] = {}

    @classmethod
    def of_plan(cls, s3: Any, plan: Mapping[str, Any]) -> Exchange:
        """That of one attempt of a migration."""
        return cls(
            s3,
            plan["bucket"],
            migrations=f"migrations/{plan['id']}/{plan['attempt']}/",
            artifacts=f"artifacts/{plan['artifactId']}/",
        )

    def phases(self) -> list[dict[str, Any]]:
        """The phases so far, in order, as a report has them: {"name", "started", "ended", "seconds"}.

        What the engine measured inside our runs is told apart, as there: verify's time is in the import's run, so the
        phase of that name takes none.
        """
        found: Any = [content for _, content in self._objects(self._migrations, "/phases/")]
        results = {name: result for name in _MEASURED if (result := self._done(name)) is not None}
        if "drain" not in results:
            # Until then nobody knows how long the quiescing takes.
            results.pop("quiesce", None)
        line: Any = contents.timeline(sorted(found, key=lambda phase: str(phase["started"])), results)
        return list(line)

    def _done(self, name: str) -> dict[str, Any] | None:
        """A task's result, once it has done its work."""
        found = [content for _, content in self._objects(self._artifacts, f"/{name}.json")]
        return next((content for content in found if content.get("status") == "done"), None)

    def rows(self) -> dict[str, int]:
        """Rows exported and merged, as far as the engine's results are there."""
        rows = {}
        for name, what, column in (("export", "exported", "rows"), ("import", "merged", "merged")):
            for _, content in self._objects(self._artifacts, f"/{name}.json"):
                tables = content.get("tables") or {}
                rows[what] = sum(int(table.get(column) or 0) for table in tables.values())
        return rows

    def reports(self) -> list[dict[str, Any]]:
        """The reports, by attempt and time."""
        found = [content for _, content in self._objects(self._migrations, "/report.json")]
        return sorted(found, key=lambda report: (int(report.get("attempt", 1)), str(report.get("time", ""))))

    def page(self, report: Mapping[str, Any]) -> str | None:
        """The page that lies beside a report, or None."""
        return self._text(f"migrations/{report['migration_id']}/{report['attempt']}/report.html")

    def _objects(self, prefix: str, part: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            for stored in page.get("Contents", []):
                key, version = stored["Key"], (stored["Key"], stored["ETag"])
                if part not in key:
                    continue
                if version not in self._read:
                    content = self._text(key)
                    if content is None:
                        continue  # deleted while we look
                    self._read[version] = json.loads(content)
                yield key, self._read[version]

    def _text(self, key: str) -> str | None:
        """The object's text, or None where there is none."""
        try:
            return str(self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode())
        except ClientError as error:
            if code_of(error) in ("NoSuchKey", "404"):
                return None
            raise
