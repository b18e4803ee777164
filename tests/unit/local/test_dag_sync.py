"""The DAG folders of an environment follow the bucket, each in its own time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.mwaa import dag_sync
from local.mwaa.dag_folders import DagFolders
from local.mwaa.dag_sync import DagSync
from tests.integration.engine.commands import eventually


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="bucket")
        client.put_object(Bucket="bucket", Key="dags/team/orders.py", Body=b"1")
        yield client


@pytest.fixture
def folders(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagFolders]:
    monkeypatch.setenv("DAG_FOLDER_DELAY_SECONDS", "3600")
    monkeypatch.setattr(dag_sync, "_INTERVAL", 0.02)
    folders, writes = DagFolders.of_home(tmp_path), itertools.count()
    sync = DagSync(lambda: s3, "bucket", "dags/", folders, lambda _: next(writes))
    sync.start()
    yield folders
    sync.stop()


def files(folder: Path) -> list[str]:
    return [file.name for file in folder.rglob("*.py")]


def test_all_are_there_when_it_has_started(folders: DagFolders) -> None:
    for folder in (folders.scheduler, folders.workers, folders.web_server):
        assert (folder / "team" / "orders.py").read_bytes() == b"1"


def test_workers_and_web_server_get_a_change_later(
    s3: Any, folders: DagFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket="bucket", Key="dags/new.py", Body=b"2")
    s3.delete_object(Bucket="bucket", Key="dags/team/orders.py")
    eventually(lambda: files(folders.scheduler) == ["new.py"])
    assert files(folders.workers) == files(folders.web_server) == ["orders.py"]
    monkeypatch.setenv("DAG_FOLDER_DELAY_SECONDS", "0")
    eventually(lambda: files(folders.workers) == files(folders.web_server) == ["new.py"])
