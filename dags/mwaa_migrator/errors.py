"""What can go wrong, by name.

The name of a class is also the ``error.name`` of a result object and the state machine's ``Error``. Its exit code says
what happened to the database: 2, the arguments are wrong; 3, refused, nothing was written; 4, failed, the target is as
it was before.
"""

from __future__ import annotations

from typing import Callable


class MigratorError(Exception):
    """Any failure that has a name; the message says what happened, to what, and what to do next."""

    exit_code = 4

    @property
    def name(self) -> str:
        return type(self).__name__


class InvalidArguments(MigratorError):
    """The command's arguments or the DAG run's conf are wrong; the message has all problems."""

    exit_code = 2


class Refused(MigratorError):
    """A check failed before anything was written."""

    exit_code = 3


class DatabaseUnreachable(Refused):
    """The metadata database of this Airflow does not answer."""


class DatabaseOutOfReach(Refused):
    """On Airflow 3, nothing in the worker's environment leads to the metadata database."""


class DatabaseNotSupported(Refused):
    """The metadata database is of a kind, a release or a revision that an export or an import does not take."""


class AirflowNotSupported(Refused):
    """The engine does not run in this Airflow."""


class AirflowTablesMissing(Refused):
    """Airflow's tables are not all in the schema that holds ``alembic_version``."""


class RevisionUnclear(Refused):
    """``alembic_version`` has no revision, or several."""


class MissingRight(Refused):
    """The database user, or the role of the AWS credentials, lacks a right."""


class DatabaseNotWritable(Refused):
    """The target's database is read-only, or an event trigger in it lets an import make no tables."""


class StorageUnavailable(Refused):
    """The artifact's location cannot be read or written."""


class StorageUnreachable(StorageUnavailable):
    """The network lets no connection through to the artifact's location."""


class StorageUnfit(Refused):
    """The artifact's location does not do what an agent needs of S3."""


class AgentRunning(Refused):
    """Another agent works for the same migration."""


class ArtifactExists(Refused):
    """A whole artifact of this id is there already."""


class ArtifactIncomplete(Refused):
    """There is no manifest, so no export finished here."""


class ArtifactDamaged(Refused):
    """A part, the manifest or the schema is not what the export wrote."""


class ArtifactFormatUnknown(Refused):
    """A later version of this software wrote the artifact."""


class ArtifactAmbiguous(Refused):
    """The location holds several artifacts, and no id chooses one."""


class ArtifactChanged(Refused):
    """Another artifact was imported under the same id."""


class TargetOlderThanSource(Refused):
    """The target's Airflow is older than the source's."""


class SourceBelowMigrations(Refused):
    """The target's own migrations do not know the source's revision: they begin at a later one."""


class TargetNotAtHead(Refused):
    """The target's metadata database is not at the schema revision of its own Airflow."""


class ImportInProgress(Refused):
    """Another import or verify works in this metadata database."""


class NotImported(Refused):
    """The artifact was never imported into this database, so there is nothing to verify."""


class NewBaseNeeded(Refused):
    """The source is not what it was when the base was taken: another database, an older state, or another schema."""


class NotABase(Refused):
    """The artifact has no sums by run, so no delta can follow it."""


class BaseNotImported(Refused):
    """The target does not have what a delta follows, or has gone on from it."""


class FollowedByDelta(Refused):
    """A delta has been merged since, so the target no longer holds what the base does."""


class UndecryptableSecret(Refused):
    """This Airflow's Fernet key does not decrypt some variables or connections."""


class MigrationWouldFail(Refused):
    """The source has rows that Airflow's own migrations, or the target's tables, do not take."""


class FernetKeyInvalid(Refused):
    """This Airflow's ``fernet_key`` is no Fernet key."""


class KeysTooFarApart(Refused):
    """The source's surrogate keys are further apart than the target's columns count."""


class PrimaryKeyMissing(Refused):
    """A table of Airflow's has lost its primary key, so its rows cannot be told apart."""


class ColumnTypeUnknown(Refused):
    """A column's type is not one of PostgreSQL's own, so the target cannot make the table again."""


class DatabaseFailed(MigratorError):
    """A statement ended with an error of the metadata database, or the connection broke."""


class ExportFailed(MigratorError):
    """The export stopped before its end. There is no manifest, so nothing can import what it left."""


class RestoreFailed(MigratorError):
    """The scratch schema could not be filled with what the artifact holds."""


class UpgradeFailed(MigratorError):
    """Airflow's own migrations failed in the scratch schema, or led to other columns than the target has."""


class RowsDoNotFit(MigratorError):
    """The target's tables do not take some rows: a text or a number too large, NULL, or against a constraint."""


class RowsUnaccounted(MigratorError):
    """A table's rows do not add up: exported is not merged + kept + set aside."""


class RowsConflict(MigratorError):
    """The target has rows of the same identity and other content, and --on-conflict fail was asked for."""


class KeySpaceExhausted(MigratorError):
    """The target's surrogate keys have no room for the source's rows."""


class ContentDiffers(MigratorError):
    """The rows in the target are not the rows of the source."""


class SourceChanged(MigratorError):
    """A run or a setting has changed in the source since the delta, although its DAGs are paused."""


class DagsLocked(MigratorError):
    """Another session kept rows of DAGs locked, so that none could be paused or unpaused."""


class CutOverWithdrawn(Refused):
    """The target's DAGs are unpaused in another way, or not at all."""


class CutOverNotRequested(Refused):
    """A run that was to unpause the target's DAGs was not asked for it in time."""


class DrainTimedOut(MigratorError):
    """Tasks were still running when the time for the drain was over."""


class SourceResumed(Refused):
    """The source's DAGs were put back for good, so no artifact of a paused source can be made any more."""


class WorkerDied(MigratorError):
    """A process of the engine ended without an answer."""


def raised(check: Callable[[], object]) -> MigratorError | None:
    """The error with which a check ends; None if it passes."""
    try:
        check()
    except MigratorError as error:
        return error
    return None
