"""A folder that has the objects of every bucket, for programs that read and write files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class S3Folder:
    """`folder`/BUCKET/KEY is s3://BUCKET/KEY, while the objects are `on_disk`."""

    folder: Path
    s3: Any

    def path(self, uri: str) -> Path:
        """Where an object lies while it is on disk."""
        return self.folder / uri.split("://", 1)[1]

    @contextmanager
    def on_disk(self) -> Iterator[None]:
        """Has the objects in the folder for the block; what it wrote or removed there is then so in the buckets."""
        before = dict(self._objects())
        for (bucket, key), body in before.items():
            file = self.folder / bucket / key
            file.parent.mkdir(parents=True, exist_ok=True)
            if not key.endswith("/"):
                file.write_bytes(body)
        yield
        after = {}
        for file in (file for file in self.folder.rglob("*") if file.is_file()):
            bucket, *parts = file.relative_to(self.folder).parts
            # Hadoop keeps a checksum beside each local file, and its working files under hidden names.
            if not any(part.startswith(".") for part in parts):
                after[bucket, "/".join(parts)] = file.read_bytes()
            file.unlink()
        for place, body in after.items():
            if before.get(place) != body:
                self.s3.put_object(Bucket=place[0], Key=place[1], Body=body)
        for bucket, key in before.keys() - after.keys():
            if not key.endswith("/"):
                self.s3.delete_object(Bucket=bucket, Key=key)

    def buckets(self) -> list[str]:
        return [bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]]

    def _objects(self) -> Iterator[tuple[tuple[str, str], bytes]]:
        for bucket in self.buckets():
            (self.folder / bucket).mkdir(parents=True, exist_ok=True)
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for item in page.get("Contents", []):
                    yield (bucket, item["Key"]), self.s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
