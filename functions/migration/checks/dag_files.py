"""The user's Python files, as they lie in the target's DAG folder, brought to a local folder.

Each gets a number for its name there: keys of S3 can be names that no file system takes, and must never lead out of
the folder.
"""

from __future__ import annotations

import io
import tokenize
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from migration.airflow import our_dags
from migration.aws import s3_object
from migration.checks.check_results import Finding
from migration.environments import s3_objects
from migration.environments.bucket_writer import COPIERS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Airflow imports zips of DAGs as they are, so what is inside is looked at too.
_SUFFIXES = (".py", ".zip")
# No hand-written file is as large; a generated one can be.
MAX_FILE = 4 * 1024**2
MAX_ZIP = 32 * 1024**2
# Of Lambda's 512 MB in /tmp.
MAX_ALL = 320 * 1024**2
_FULL = f"the files before it have {MAX_ALL // 1024**2} MB together already"
# What Airflow's safe mode, which is on by default, looks for before it takes a file for one with DAGs
# (airflow.utils.file.might_contain_dag).
_SIGNS = (b"dag", b"airflow")


@dataclass(frozen=True)
class DagFile:
    """`path` lies below the DAG folder; in a zip it is `dags.zip/report.py`."""

    path: str
    may_have_dags: bool


@dataclass
class DagFiles:
    """The Python files of a DAG folder.

    Attributes:
        folder: where they lie.
        files: each by its name in `folder`.
        undecodable: what Python cannot read as text, and so cannot compile.
        unread: what was not looked at, each with its reason.
    """

    folder: Path
    files: dict[str, DagFile] = field(default_factory=dict)
    undecodable: list[DagFile] = field(default_factory=list)
    unread: list[Finding] = field(default_factory=list)
    size: int = 0

    def add(self, path: str, content: bytes) -> None:
        """Keeps one Python file, as UTF-8 whatever it declares to be."""
        file = DagFile(path, all(sign in content.lower() for sign in _SIGNS))
        if self.size + len(content) > MAX_ALL:
            self.skip(path, _FULL)
            return
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
            text = content.decode(encoding)
        except (SyntaxError, UnicodeDecodeError):
            self.undecodable.append(file)
            return
        name = f"{len(self.files):06}.py"
        (self.folder / name).write_bytes(text.encode(errors="replace"))
        self.files[name] = file
        self.size += len(content)

    def skip(self, path: str, reason: str) -> None:
        self.unread.append(Finding(file=path, message=f"Not looked at: {reason}."))


def fetch(s3: S3Client, bucket: str, dags_path: str, folder: Path) -> DagFiles:
    """Brings every Python file of a DAG folder but ours to `folder`. Raises ClientError where S3 refuses."""
    prefix = s3_objects.folder(dags_path)
    found = DagFiles(folder)

    def read(key: str) -> bytes | None:
        stored = s3_object.read(s3, bucket, key)
        return None if stored is None else stored.body

    keys = list(_keys(s3, bucket, prefix, found))
    with ThreadPoolExecutor(COPIERS) as readers:
        # Batch by batch, so that no more is in memory than one of them.
        for start in range(0, len(keys), COPIERS):
            batch = keys[start : start + COPIERS]
            for key, content in zip(batch, readers.map(read, batch), strict=True):
                path = key.removeprefix(prefix)
                if content is None:
                    found.skip(path, "it was deleted meanwhile")
                elif path.endswith(".zip"):
                    _unpack(path, content, found)
                else:
                    found.add(path, content)
    return found


def _keys(s3: S3Client, bucket: str, prefix: str, found: DagFiles) -> Iterator[str]:
    ours = (f"{prefix}{our_dags.NAME}/", f"{prefix}{our_dags.NAME}_")
    size = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            key = item["Key"]
            if not key.endswith(_SUFFIXES) or key.startswith(ours):
                continue
            limit = MAX_ZIP if key.endswith(".zip") else MAX_FILE
            if item["Size"] > limit:
                found.skip(key.removeprefix(prefix), f"it has more than {limit // 1024**2} MB")
            elif size + item["Size"] > MAX_ALL:
                found.skip(key.removeprefix(prefix), _FULL)
            else:
                size += item["Size"]
                yield key


def _unpack(path: str, content: bytes, found: DagFiles) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for item in archive.infolist():
                if not item.filename.endswith(".py"):
                    continue
                # The size is the archive's own claim; reading stops at it too.
                if item.file_size > MAX_FILE:
                    found.skip(f"{path}/{item.filename}", f"it has more than {MAX_FILE // 1024**2} MB")
                else:
                    found.add(f"{path}/{item.filename}", archive.read(item))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        # RuntimeError is zipfile's for a password, NotImplementedError for an unknown compression.
        found.skip(path, f"it cannot be unpacked ({error})")
