from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from mwaa_migrator.artifact import s3_storage
from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.artifact.s3_storage import MULTIPART_BYTES
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.dag_tasks import tasks
from mwaa_migrator.errors import InvalidArguments, StorageUnavailable, StorageUnreachable

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


@pytest.fixture(params=["nobody listens", "nobody answers"])
def no_way_to_s3(request: pytest.FixtureRequest, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """A place in S3 to which no connection is made: it is refused, or nothing ever comes back."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    waiting = []
    if request.param == "nobody answers":
        listener.listen(0)
        for _ in range(3):
            # They fill the queue of those that wait to be accepted; Linux drops what comes then.
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(listener.getsockname())
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setattr(s3_storage, "CONNECT_SECONDS", 0.1)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    yield open_storage(bucket)
    for each in (listener, *waiting):
        each.close()


def test_no_way_to_s3_has_a_name_and_a_remedy(no_way_to_s3: Storage) -> None:
    uses: list[Callable[[], Any]] = [
        lambda: no_way_to_s3.size("manifest.json"),
        lambda: no_way_to_s3.write_bytes("manifest.json", b""),
    ]
    for use in uses:
        begun = time.monotonic()
        with pytest.raises(
            StorageUnreachable, match=r"s3://exchange/some/prefix cannot be reached: .*gateway endpoint"
        ):
            use()
        assert time.monotonic() - begun < 20


def test_a_task_without_a_way_to_s3_fails_once_by_that_name(
    no_way_to_s3: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Final(Exception):
        """Airflow's AirflowFailException, after which nothing is tried again."""

    monkeypatch.setitem(sys.modules, "airflow.exceptions", SimpleNamespace(AirflowFailException=Final))
    run = SimpleNamespace(run_id="1", conf={"artifact": no_way_to_s3.url, "options": {"quiesce": True}})
    with pytest.raises(Final, match="cannot be reached"):
        tasks.run_task("quiesce", {"dag_run": run})
    assert "StorageUnreachable: s3://exchange/some/prefix cannot be reached" in caplog.text


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
