"""Parts: gzip objects of COPY text lines, each with the SHA-256 of what was stored.

Both classes are files for ``copy_expert``. Rows stream through them; neither holds more than a block.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from typing import Any

from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import ArtifactDamaged, MigratorError

#: Bytes of COPY text after which a new part begins: small enough to spread over processes, large enough that S3's
#: latency does not matter.
PART_BYTES = 64 * 1024 * 1024

#: psycopg2 hands over one row at a time; gzip and the hash get blocks of this size.
BLOCK_BYTES = 1024 * 1024

_GZIP = 31  # zlib's wbits for a gzip header and trailer


class PartWriter:
    """Takes the stream of COPY TO and cuts it at line ends into parts ``<prefix>-<n>.copy.gz``.

    ``parts`` lists what was written: ``{"name", "rows", "bytes", "stored_bytes", "sha256"}``, with the bytes before and
    after gzip.
    """

    def __init__(self, storage: Storage, prefix: str, part_bytes: int = PART_BYTES) -> None:
        self.parts: list[dict[str, Any]] = []
        self._storage = storage
        self._prefix = prefix
        self._part_bytes = part_bytes
        self._stream: Any = None
        self._aborted = False

    def write(self, block: bytes) -> int:
        if self._aborted:
            return len(block)
        if self._stream is not None and self._bytes >= self._part_bytes:
            # COPY writes a line break inside a value as backslash and n, so a raw one ends a row.
            end = block.rfind(b"\n") + 1
            if end:
                self._append(block[:end])
                self._finish_part()
                if end < len(block):
                    self._append(block[end:])
                return len(block)
        self._append(block)
        return len(block)

    def _append(self, block: bytes) -> None:
        if self._stream is None:
            self._name = f"{self._prefix}-{len(self.parts):04d}.copy.gz"
            self._stream = self._storage.open_write(self._name)
            self._gzip = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
            self._sha256 = hashlib.sha256()
            self._bytes = self._rows = self._stored_bytes = 0
        self._bytes += len(block)
        self._rows += block.count(b"\n")
        self._store(self._gzip.compress(block))

    def _store(self, compressed: bytes) -> None:
        if compressed:
            self._sha256.update(compressed)
            self._stored_bytes += len(compressed)
            self._stream.write(compressed)

    def _finish_part(self) -> None:
        self._store(self._gzip.flush())
        stream, self._stream = self._stream, None
        stream.close()
        self.parts.append(
            {
                "name": self._name,
                "rows": self._rows,
                "bytes": self._bytes,
                "stored_bytes": self._stored_bytes,
                "sha256": self._sha256.hexdigest(),
            }
        )

    def close(self) -> None:
        if self._stream is not None:
            self._finish_part()

    def abort(self) -> None:
        # A buffer in front of this writer is flushed when it is collected, which must not begin another part.
        self._aborted = True
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.abort()


class _Sink(io.RawIOBase):
    def __init__(self, parts: PartWriter) -> None:
        self._parts = parts

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        # A row of many blocks comes at once, and is not copied at once.
        view = memoryview(block)
        for start in range(0, len(view), BLOCK_BYTES):
            self._parts.write(bytes(view[start : start + BLOCK_BYTES]))
        return len(view)


def row_buffer(parts: PartWriter) -> io.BufferedWriter:
    """A file for COPY TO that collects rows into blocks before it hands them to ``parts``."""
    return io.BufferedWriter(_Sink(parts), BLOCK_BYTES)


class PartReader:
    """A file for COPY FROM: the text of one part, in blocks. The last block is followed by a check of the hash.

    ``read`` raises ArtifactDamaged if the stored bytes are not those that the export wrote.
    """

    def __init__(self, storage: Storage, part: dict[str, Any]) -> None:
        self._part = part
        self._stream = storage.open_read(part["name"])
        self._gzip = zlib.decompressobj(_GZIP)
        self._sha256 = hashlib.sha256()
        self._pending = b""
        self._ended = False
        #: What ``read`` raised, which psycopg2 turns into an error of the database's.
        self.failure: MigratorError | None = None

    def read(self, size: int = BLOCK_BYTES) -> bytes:
        try:
            return self._read(size)
        except MigratorError as error:
            self.failure = error
            raise

    def _read(self, size: int) -> bytes:
        while not self._ended:
            if not self._pending:
                self._pending = self._stream.read(BLOCK_BYTES)
                self._sha256.update(self._pending)
                if not self._pending:
                    self._finish()
                    return b""
            try:
                block = self._gzip.decompress(self._pending, size)
            except zlib.error as error:
                raise _damaged(self._part["name"], f"its gzip stream is broken ({error})") from error
            self._pending = self._gzip.unconsumed_tail
            if block:
                return bytes(block)
        return b""

    def _finish(self) -> None:
        self._ended = True
        if self._sha256.hexdigest() != self._part["sha256"] or not self._gzip.eof:
            raise _damaged(self._part["name"], "its SHA-256 is not the manifest's")

    def close(self) -> None:
        self._stream.close()


def check_part(storage: Storage, part: dict[str, Any]) -> None:
    """Read a stored part; raises ArtifactDamaged unless its length and SHA-256 are the manifest's."""
    size = storage.size(part["name"])
    if size is None:
        raise _damaged(part["name"], "it is missing")
    if size != part["stored_bytes"]:
        raise _damaged(part["name"], "it has {} bytes and the manifest says {}".format(size, part["stored_bytes"]))
    sha256 = hashlib.sha256()
    stream = storage.open_read(part["name"])
    try:
        while True:
            block = stream.read(BLOCK_BYTES)
            if not block:
                break
            sha256.update(block)
    finally:
        stream.close()
    if sha256.hexdigest() != part["sha256"]:
        raise _damaged(part["name"], "its SHA-256 is not the manifest's")


def _damaged(name: str, reason: str) -> ArtifactDamaged:
    return ArtifactDamaged(f"{name} is damaged: {reason}. Nothing was merged; export again.")
