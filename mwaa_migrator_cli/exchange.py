"""What the functions and the engine have left in the exchange bucket, while a migration runs and afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from migration.aws import s3_object
from migration.exchange import layout
from migration.report import contents

# Tasks of our runs whose time the report shows as that of phases.
_MEASURED = ("quiesce", "drain", "verify")


class Exchange:
    """The objects below two prefixes of the exchange bucket; by default all of it. Each object is read once."""

    def __init__(
        self, s3: Any, bucket: str, *, migrations: str = layout.MIGRATIONS, artifacts: str = layout.ARTIFACTS
    ) -> None:
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
            migrations=layout.attempt(plan["id"], plan["attempt"]),
            artifacts=layout.artifact(plan["artifactId"]),
        )

    def phases(self) -> list[dict[str, Any]]:
        """The phases so far, in order, as a report has them: {"name", "started", "ended", "seconds"}.

        What the engine measured inside our runs is told apart, as there: verify's time is in the import's run, so the
        phase of that name takes none.
        """
        found: Any = [content for _, content in self._objects(self._migrations, layout.PHASES)]
        results = {name: result for name in _MEASURED if (result := self._done(name)) is not None}
        if "drain" not in results:
            # Until then nobody knows how long the quiescing takes.
            results.pop("quiesce", None)
        line: Any = contents.timeline(sorted(found, key=lambda phase: str(phase["started"])), results)
        return list(line)

    def _done(self, name: str) -> dict[str, Any] | None:
        """The result of a task of the delta's runs, once it has done its work."""
        found = self._objects(self._artifacts, layout.result(name))
        done = [content for key, content in found if content.get("status") == "done" and layout.is_of_delta(key)]
        return next(iter(done), None)

    def rows(self) -> dict[str, int]:
        """Rows exported and merged, as far as the engine's results are there; those that went again, each time."""
        rows: dict[str, int] = {}
        for name, what, column in (("export", "exported", "rows"), ("import", "merged", "merged")):
            for _, content in self._objects(self._artifacts, layout.result(name)):
                if "artifact_id" in content:
                    tables = content.get("tables") or {}
                    rows[what] = rows.get(what, 0) + sum(int(table.get(column) or 0) for table in tables.values())
        return rows

    def reports(self) -> list[dict[str, Any]]:
        """The reports, by attempt and time."""
        found = [content for _, content in self._objects(self._migrations, layout.report("json"))]
        return sorted(found, key=lambda report: (int(report.get("attempt", 1)), str(report.get("time", ""))))

    def page(self, report: Mapping[str, Any]) -> str | None:
        """The page that lies beside a report, or None."""
        return self._text(f"{layout.attempt(report['migration_id'], report['attempt'])}/{layout.report('html')}")

    def _objects(self, prefix: str, part: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{prefix}/"):
            for stored in page.get("Contents", []):
                key, version = stored["Key"], (stored["Key"], stored["ETag"])
                if f"/{part}" not in key:
                    continue
                if version not in self._read:
                    content = self._text(key)
                    if content is None:
                        continue  # deleted while we look
                    self._read[version] = json.loads(content)
                yield key, self._read[version]

    def _text(self, key: str) -> str | None:
        """The object's text, or None where there is none."""
        stored = s3_object.read(self._s3, self.bucket, key)
        return None if stored is None else stored.body.decode()
