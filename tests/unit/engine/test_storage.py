from __future__ import annotations

import os
from pathlib import Path

import boto3
import pytest
from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.artifact.s3_storage import MULTIPART_BYTES
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import InvalidArguments, StorageUnavailable

from tests.unit.engine.conftest import BUCKET


def test_what_was_written_is_read(storage: Storage) -> None:
    storage.write_bytes("tables/log/0.gz", b"content")
    storage.write_bytes("tables/log/0.gz", b"new content")
    assert storage.read_bytes("tables/log/0.gz") == b"new content"
    assert storage.size("tables/log/0.gz") == 11
    assert storage.child("tables").read_bytes("log/0.gz") == b"new content"


def test_nothing_is_visible_before_the_end(storage: Storage) -> None:
    stream = storage.open_write("manifest.json")
    stream.write(b"content")
    assert storage.size("manifest.json") is None
    stream.close()
    assert storage.size("manifest.json") == 7


@pytest.mark.parametrize("size", [0, MULTIPART_BYTES - 1, MULTIPART_BYTES, 2 * MULTIPART_BYTES + 5])
def test_objects_of_any_size(size: int, storage: Storage) -> None:
    content = os.urandom(1024) * (size // 1024 + 1)
    stream = storage.open_write("part")
    for start in range(0, size, 1_000_000):
        stream.write(content[start : min(start + 1_000_000, size)])
    stream.close()
    assert storage.read_bytes("part") == content[:size]


@pytest.mark.parametrize("size", [10, MULTIPART_BYTES + 10])
def test_an_aborted_object_leaves_nothing(size: int, storage: Storage, tmp_path: Path) -> None:
    stream = storage.open_write("tables/part")
    stream.write(b"a" * size)
    stream.abort()
    assert storage.size("tables/part") is None
    if storage.url.startswith("s3:"):
        client = boto3.client("s3")
        assert "Uploads" not in client.list_multipart_uploads(Bucket=BUCKET)
        assert client.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    else:
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_missing_object(storage: Storage) -> None:
    storage.write_bytes("manifest.json.old", b"")
    assert storage.size("manifest.json") is None
    with pytest.raises(StorageUnavailable, match="cannot be used"):
        storage.read_bytes("manifest.json")


def test_folders(storage: Storage) -> None:
    assert storage.folders() == []
    for name in ("b/manifest.json", "a/tables/x", "a/tables/y", "report.json"):
        storage.write_bytes(name, b"")
    assert storage.folders() == ["a", "b"]


def test_delete_all_below_a_place_only(storage: Storage) -> None:
    for name in ("tables/log/0", "tables/xcom/0", "tables.json"):
        storage.write_bytes(name, b"")
    storage.child("tables").delete_all()
    storage.child("tables").delete_all()
    assert storage.size("tables/log/0") is None
    assert storage.size("tables/xcom/0") is None
    assert storage.size("tables.json") == 0


def test_a_bucket_that_does_not_exist(bucket: str) -> None:
    storage = open_storage("s3://no-such-bucket/prefix")
    for use in (
        lambda: storage.size("manifest.json"),
        lambda: storage.read_bytes("manifest.json"),
        lambda: storage.write_bytes("manifest.json", b""),
        storage.folders,
        storage.delete_all,
    ):
        with pytest.raises(StorageUnavailable, match=r"s3://no-such-bucket/prefix cannot be used: .*NoSuchBucket"):
            use()


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    storage = open_storage(str(tmp_path / "file" / "place"))
    for use in (
        lambda: storage.size("manifest.json"),
        lambda: storage.read_bytes("manifest.json"),
        lambda: storage.write_bytes("manifest.json", b""),
    ):
        with pytest.raises(StorageUnavailable, match="Not a directory"):
            use()


def test_a_full_disk(directory: Storage) -> None:
    stream = directory.open_write("part")
    # Linux's /dev/full answers each write as a full disk does.
    with Path("/dev/full").open("wb") as full:
        os.dup2(full.fileno(), stream._file.fileno())
    with pytest.raises(StorageUnavailable, match="No space left on device"):
        stream.write(b"content")
    stream.abort()
    assert list(Path(directory.url).iterdir()) == []


@pytest.mark.parametrize(
    "url", ["s3://", "s3://Upper/prefix", "s3://a", "gs://bucket/prefix", "https://bucket.s3/", ""]
)
def test_locations_that_are_none(url: str) -> None:
    with pytest.raises(InvalidArguments, match=r"neither a directory nor s3://bucket/prefix"):
        open_storage(url)


@pytest.mark.parametrize("prefix", ["", "/", "a/b", "a/b/", "//a//"])
def test_slashes_at_the_ends_do_not_count(prefix: str) -> None:
    url = open_storage(f"s3://{BUCKET}/{prefix}").url
    assert not url.endswith("/")
    assert url.rstrip("/") == f"s3://{BUCKET}/{prefix.strip('/')}".rstrip("/")
