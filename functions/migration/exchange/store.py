"""What a migration leaves in the exchange bucket (`layout`), read and written as JSON.

An attempt ends with a rollback; the next one starts from a fresh export, because the source ran on in between.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from migration.aws import s3_object
from migration.exchange import layout
from migration.model import Phase
from migration.times import now, seconds_between

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from migration.model import Migration


class Store:
    """JSON objects under one prefix of the exchange bucket, which has no slash at its end; all of them under none."""

    def __init__(self, s3: S3Client, bucket: str, prefix: str) -> None:
        self._s3 = s3
        self.bucket = bucket
        self.prefix = prefix

    def read(self, name: str) -> Any:
        """The object's content, or None where there is none. Raises ClientError for anything else."""
        stored = s3_object.read(self._s3, self.bucket, f"{self.prefix}/{name}" if self.prefix else name)
        return None if stored is None else json.loads(stored.body)

    def write(self, name: str, content: Any) -> str:
        """Writes JSON; what JSON does not have becomes text. Returns the key."""
        return self.write_text(name, json.dumps(content, indent=2, sort_keys=True, default=str), "application/json")

    def write_text(self, name: str, content: str, content_type: str) -> str:
        """Writes as UTF-8 and returns the key."""
        key = f"{self.prefix}/{name}"
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=content.encode(), ContentType=content_type)
        return key

    def start_phase(self, name: str) -> None:
        """Notes a phase's start; one that was started before keeps its start, so that a retry does not shorten it."""
        key = layout.phase(name)
        if self.read(key) is None:
            self.write(key, Phase(name=name, started=now(), ended=None, seconds=0.0))

    def end_phase(self, name: str, started: str | None = None) -> None:
        """Notes a phase's end, once. `started`: for a phase whose start was not noted (default: it took no time)."""
        key = layout.phase(name)
        phase: Phase = self.read(key) or Phase(name=name, started=started or now(), ended=None, seconds=0.0)
        if phase["ended"] is None:
            ended = now()
            self.write(key, {**phase, "ended": ended, "seconds": seconds_between(phase["started"], ended)})

    def phases(self) -> list[Phase]:
        """All phases in the order of their start."""
        found: list[Phase] = [self.read(name) for name in self.names(layout.PHASES)]
        return sorted(found, key=lambda phase: phase["started"])

    def names(self, folder: str) -> list[str]:
        """The names of the objects below a folder (with its slash), in their order."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/{folder}")
        return [item["Key"].removeprefix(f"{self.prefix}/") for page in pages for item in page.get("Contents", [])]


def of_attempt(s3: S3Client, migration: Migration) -> Store:
    """What the current attempt of a migration leaves."""
    return Store(s3, migration["bucket"], layout.attempt(migration["id"], migration["attempt"]))


def of_migration(s3: S3Client, migration: Migration) -> Store:
    """What all attempts of a migration share."""
    return Store(s3, migration["bucket"], layout.migration(migration["id"]))


def of_bucket(s3: S3Client, migration: Migration) -> Store:
    """The whole exchange bucket, to read from by key."""
    return Store(s3, migration["bucket"], "")


def of_artifact(s3: S3Client, migration: Migration) -> Store:
    """The artifact, as far as it is JSON: the manifest and the engine's results."""
    return Store(s3, migration["bucket"], layout.artifact(migration["artifactId"]))
