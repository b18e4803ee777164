"""What can go wrong, by name.

Each class's name is also the ``error.name`` of a result object and the state machine's ``Error``. The exit code tells
what happened to the database: 2, the arguments are wrong; 3, refused and nothing was written; 4, failed and the target
is as it was before.
"""

from __future__ import annotations


class MigratorError(Exception):
    """Any failure that has a name; the message says what happened, to what, and what to do next."""

    exit_code = 4

    @property
    def name(self) -> str:
        return type(self).__name__


class InvalidArguments(MigratorError):
    """The command's arguments or the DAG run's conf are wrong; all faults are in the message."""

    exit_code = 2


class Refused(MigratorError):
    """A check failed before anything was written."""

    exit_code = 3


class DatabaseUnreachable(Refused):
    """The metadata database of the Airflow that we run in does not answer."""


class DatabaseNotSupported(Refused):
    """The metadata database is not PostgreSQL."""


class AirflowNotSupported(Refused):
    """The Airflow that we run in is outside of what the engine works with."""


class MissingRight(Refused):
    """The database user, or the AWS credentials, lack a right."""


class StorageUnavailable(Refused):
    """The place where the artifact lies cannot be read or written."""


class ArtifactExists(Refused):
    """A whole artifact of this migration lies there already."""


class ArtifactIncomplete(Refused):
    """There is no manifest, so no export finished here."""


class ArtifactDamaged(Refused):
    """A part, the manifest or the schema is not what the export wrote."""


class ArtifactFormatUnknown(Refused):
    """The artifact was written by a later version of this software."""


class ArtifactAmbiguous(Refused):
    """Several artifacts lie under the location and none was chosen."""


class ArtifactChanged(Refused):
    """Another artifact was imported under the same migration id."""


class TargetOlderThanSource(Refused):
    """The target's Airflow is older than the source's."""


class TargetNotAtHead(Refused):
    """The target's metadata database is not at its own Airflow's schema revision."""


class ImportInProgress(Refused):
    """Another import or verify works in this metadata database."""


class NotImported(Refused):
    """There is nothing to verify: the artifact was never imported into this database."""


class UndecryptableSecret(Refused):
    """Variables or connections cannot be decrypted with this Airflow's Fernet key."""


class ColumnTypeUnknown(Refused):
    """A column's type is not one of PostgreSQL's own, so the target could not make the table again."""


class DatabaseFailed(MigratorError):
    """The metadata database ended a statement with an error, or the connection broke."""


class ExportFailed(MigratorError):
    """The export stopped in its middle; there is no manifest, so nothing can import what it left."""


class RestoreFailed(MigratorError):
    """The scratch schema could not be filled with what the artifact holds."""


class UpgradeFailed(MigratorError):
    """Airflow's own migrations failed in the scratch schema."""


class RowsUnaccounted(MigratorError):
    """A table's rows do not add up: exported is not merged + kept + set aside."""


class RowsConflict(MigratorError):
    """The target has rows with the same identity, and --on-conflict fail was asked for."""


class KeySpaceExhausted(MigratorError):
    """The target's surrogate keys have no room for the source's rows."""


class ContentDiffers(MigratorError):
    """The rows in the target are not the rows of the source."""


class DrainTimedOut(MigratorError):
    """Tasks were still running when the time for the drain was over."""


class SourceResumed(Refused):
    """The source's DAGs were put back for good, so this artifact can no more be of a paused source."""


class WorkerDied(MigratorError):
    """A copying process ended without an answer."""
