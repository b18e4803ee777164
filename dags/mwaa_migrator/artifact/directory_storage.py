"""An artifact in a directory."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from mwaa_migrator.artifact.storage import Storage, named_storage_errors


class _AtomicFile:
    """A file that gets its name only when it is closed."""

    def __init__(self, path: str) -> None:
        self._path = path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor, self._temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".writing-")
        self._file = os.fdopen(descriptor, "wb", buffering=0)

    def write(self, content: bytes) -> int:
        view = memoryview(content)
        with named_storage_errors(self._path):
            while view:
                view = view[self._file.write(view) :]
        return len(content)

    def close(self) -> None:
        with named_storage_errors(self._path):
            self._file.close()
            os.replace(self._temporary, self._path)

    def abort(self) -> None:
        self._file.close()
        if os.path.exists(self._temporary):
            os.unlink(self._temporary)


class DirectoryStorage(Storage):
    def __init__(self, directory: str) -> None:
        self.url = os.path.abspath(directory)

    def _path(self, name: str) -> str:
        return os.path.join(self.url, *name.split("/"))

    def open_write(self, name: str) -> Any:
        with named_storage_errors(self.url):
            return _AtomicFile(self._path(name))

    def open_read(self, name: str) -> Any:
        with named_storage_errors(self.url):
            return open(self._path(name), "rb", buffering=0)

    def size(self, name: str) -> int | None:
        with named_storage_errors(self.url):
            try:
                return os.path.getsize(self._path(name))
            except FileNotFoundError:
                return None

    def folders(self) -> list[str]:
        if not os.path.isdir(self.url):
            return []
        with named_storage_errors(self.url):
            return sorted(entry.name for entry in os.scandir(self.url) if entry.is_dir())

    def child(self, name: str) -> Storage:
        return DirectoryStorage(os.path.join(self.url, name))

    def delete_all(self) -> None:
        shutil.rmtree(self.url, ignore_errors=True)
