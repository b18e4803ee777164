"""What an export finds of an earlier one, and what it leaves of itself if it fails."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import Iterator

from mwaa_migrator.artifact.manifest import MANIFEST, SUMS, TABLES
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import ArtifactExists, ExportFailed, MigratorError, StorageUnavailable


def require_no_artifact(storage: Storage) -> None:
    """Raises ArtifactExists if a whole one is there."""
    if storage.size(MANIFEST) is not None:
        raise ArtifactExists(f"{storage.url} holds a whole artifact already. Import that one, or choose another --id.")


@contextmanager
def nothing_left_of_a_failure(storage: Storage) -> Iterator[None]:
    """Remove the parts of an export that failed: they hold secrets in clear."""
    try:
        yield
    except BaseException as error:
        with suppress(MigratorError):
            for folder in (TABLES, SUMS):
                storage.child(folder).delete_all()
        if isinstance(error, StorageUnavailable):
            raise ExportFailed(f"The export stopped, and its parts were removed: {error}") from error
        raise
