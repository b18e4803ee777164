"""Whether the tests' files lie in memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tests import memory_folder

GIB = 2**30


class FileSystem(NamedTuple):
    f_bavail: int
    f_frsize: int
    f_flag: int


class Memory(NamedTuple):
    available: int


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 16 GB free, of which 12 are for files, and nobody's choice of a folder."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(16 * GIB))
    monkeypatch.setattr(os, "statvfs", lambda folder: FileSystem(12 * GIB // 4096, 4096, 0))


@pytest.mark.parametrize(
    ("file_system", "available", "room"),
    [
        (FileSystem(12 * GIB // 4096, 4096, 0), 16 * GIB, True),
        # What Docker gives a container.
        (FileSystem(64 * 2**20 // 4096, 4096, 0), 16 * GIB, False),
        (FileSystem(12 * GIB // 4096, 4096, 0), 3 * GIB, False),
        (FileSystem(12 * GIB // 4096, 4096, os.ST_NOEXEC), 16 * GIB, False),
    ],
)
def test_there_must_be_room(
    monkeypatch: pytest.MonkeyPatch, file_system: FileSystem, available: int, room: bool
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda folder: file_system)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(available))
    assert memory_folder.has_room(Path("/anywhere")) is room


def test_another_system_has_no_such_folder(tmp_path: Path) -> None:
    assert not memory_folder.has_room(tmp_path / "missing")


def test_a_chosen_folder_stays(monkeypatch: pytest.MonkeyPatch, memory: None) -> None:
    monkeypatch.setenv("TMPDIR", "/chosen")
    memory_folder.use()
    assert os.environ["TMPDIR"] == "/chosen"


def test_the_processes_of_a_run_share_one(monkeypatch: pytest.MonkeyPatch, memory: None, tmp_path: Path) -> None:
    monkeypatch.setattr(memory_folder, "_SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", tempfile.tempdir)
    monkeypatch.delenv("TMPDIR", raising=False)
    killed, running = tmp_path / "mwaa-migrator-4999999-a", tmp_path / f"mwaa-migrator-{os.getpid()}-b"
    killed.mkdir()
    running.mkdir()
    memory_folder.use()
    assert (killed.exists(), running.exists()) == (False, True)
    first = Path(tempfile.gettempdir())
    assert first.parent == tmp_path
    memory_folder.use()
    assert Path(tempfile.gettempdir()) == first
