from __future__ import annotations

import gzip
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.artifact.parts import BLOCK_BYTES, PartReader, PartWriter, check_part, row_buffer
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import ArtifactDamaged

LINES = st.lists(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"") + b"\n"), max_size=60)


def write(storage: Storage, blocks: list[bytes], part_bytes: int = 100) -> list[dict[str, Any]]:
    writer = PartWriter(storage, "tables/log/0000", part_bytes)
    for block in blocks:
        writer.write(block)
    writer.close()
    return writer.parts


def read(storage: Storage, part: dict[str, Any], size: int = BLOCK_BYTES) -> bytes:
    reader = PartReader(storage, part)
    try:
        return b"".join(iter(lambda: reader.read(size), b""))
    finally:
        reader.close()


@given(LINES, st.integers(1, 30), st.integers(1, 300), st.integers(1, 50))
def test_rows_come_back_whole_from_whichever_parts(lines: list[bytes], block: int, part_bytes: int, size: int) -> None:
    stream = b"".join(lines)
    with tempfile.TemporaryDirectory() as place:
        storage = open_storage(place)
        parts = write(storage, [stream[i : i + block] for i in range(0, len(stream), block)], part_bytes)
        texts = [read(storage, part, size) for part in parts]
        for part in parts:
            check_part(storage, part)
    assert b"".join(texts) == stream
    assert all(text.endswith(b"\n") for text in texts)
    assert [part["bytes"] for part in parts] == [len(text) for text in texts]
    assert [part["rows"] for part in parts] == [text.count(b"\n") for text in texts]
    assert sum(part["rows"] for part in parts) == len(lines)


def test_a_part_is_a_gzip_file_with_its_hash(directory: Storage) -> None:
    (part,) = write(directory, [b"a\tb\n", b"c\td\n"])
    stored = directory.read_bytes(part["name"])
    assert part["name"] == "tables/log/0000-0000.copy.gz"
    assert gzip.decompress(stored) == b"a\tb\nc\td\n"
    assert part["stored_bytes"] == len(stored)
    assert part["sha256"] == hashlib.sha256(stored).hexdigest()


def test_no_rows_are_no_part(directory: Storage) -> None:
    assert write(directory, []) == []
    assert not Path(directory.url).exists()


def test_a_row_of_many_blocks(directory: Storage) -> None:
    writer = PartWriter(directory, "tables/xcom/0000", 1000)
    buffer = row_buffer(writer)
    row = bytes(range(32, 127)) * (3 * BLOCK_BYTES // 95) + b"\n"
    for _ in range(2):
        buffer.write(row)
    buffer.flush()
    writer.close()
    assert b"".join(read(directory, part, 1000) for part in writer.parts) == row + row


@pytest.fixture(scope="module")
def stored() -> tuple[dict[str, Any], bytes]:
    with tempfile.TemporaryDirectory() as place:
        storage = open_storage(place)
        (part,) = write(storage, [b"%d\tsome text\n" % n for n in range(100)], 10_000)
        return part, storage.read_bytes(part["name"])


@given(st.data())
def test_one_flipped_bit_anywhere_is_seen(stored: tuple[dict[str, Any], bytes], data: st.DataObject) -> None:
    part, content = stored
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    broken = bytearray(content)
    broken[bit // 8] ^= 1 << bit % 8
    assert_damaged(part, bytes(broken))


@given(st.data())
def test_a_part_cut_short_anywhere_is_seen(stored: tuple[dict[str, Any], bytes], data: st.DataObject) -> None:
    part, content = stored
    assert_damaged(part, content[: data.draw(st.integers(0, len(content) - 1))])


def test_more_bytes_than_written_are_seen(stored: tuple[dict[str, Any], bytes]) -> None:
    part, content = stored
    assert_damaged(part, content + b"\0")
    assert_damaged(part, content + content)


def test_the_same_rows_in_other_bytes_are_seen(stored: tuple[dict[str, Any], bytes]) -> None:
    part, content = stored
    assert_damaged(part, gzip.compress(gzip.decompress(content)))


def assert_damaged(part: dict[str, Any], content: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        storage = open_storage(place)
        storage.write_bytes(part["name"], content)
        with pytest.raises(ArtifactDamaged, match=r"tables/log/0000-0000\.copy\.gz"):
            check_part(storage, part)
        with pytest.raises(ArtifactDamaged, match=r"tables/log/0000-0000\.copy\.gz"):
            read(storage, part)


def test_an_aborted_part_leaves_nothing(storage: Storage) -> None:
    writer = PartWriter(storage, "tables/log/0000", 10)
    buffer = row_buffer(writer)
    writer.write(b"a row\n")
    buffer.write(b"another\n")
    writer.abort()
    buffer.flush()
    writer.write(b"a late one\n")
    writer.close()
    assert writer.parts == []
    assert storage.size("tables/log/0000-0000.copy.gz") is None
