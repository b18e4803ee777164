"""Paths of DAG files as the DAG folder has them, wherever that is."""

from __future__ import annotations

from typing import Sequence


def path_below(folders: Sequence[str], file: str) -> str:
    """A file's path below the first of the folders that it is in; the file itself if it is in none."""
    for folder in folders:
        prefix = folder.rstrip("/") + "/"
        if file.startswith(prefix):
            return file[len(prefix) :]
    return file
