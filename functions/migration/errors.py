"""The failures that a migration can end with. A class's name is the `Error` that the state machine shows.

Every message says what happened, to what, and what to do next.
"""

from __future__ import annotations


class MigrationError(Exception):
    """Base of all named failures of a migration."""


class TransientError(MigrationError):
    """A throttle, time-out or server error that outlasted the SDK's own retries; the state machine retries it."""


class EventUnfit(MigrationError):
    """The state machine and a function are from different releases: deploy the whole stack again."""


# The input and the plan.


class InvalidInput(MigrationError):
    """The input does not fit its schema; the message lists every problem with its path."""


class InputNotFound(MigrationError):
    """The object of the exchange bucket that has a rehearsal's input does not exist."""


class SourceNotFound(MigrationError):
    """The source environment does not exist in its region."""


class SourceNotAvailable(MigrationError):
    """The source environment is not AVAILABLE, so its DAGs cannot run."""


class SourceSchedulerDown(MigrationError):
    """The source's schedulers have stopped, so none of its DAGs would run, ours included."""


class SourceTooOld(MigrationError):
    """The source's Airflow is older than the oldest version that the export supports."""


class SameEnvironment(MigrationError):
    """Source and target are one environment."""


class Downgrade(MigrationError):
    """The target's Airflow version is older than the source's."""


class ImportVersionUnfit(MigrationError):
    """The version to import at is not between the source's and the target's."""


class PathUnfit(MigrationError):
    """The source is too old to go to the target's version directly, or too new to go through 2.11."""


class WayInUnfit(MigrationError):
    """The way into the database that the input names is none in this target."""


class TargetExists(MigrationError):
    """An environment of the target's name exists and was not made by this migration."""


class TargetNotFound(MigrationError):
    """The environment that is to be adopted as the target does not exist in its region."""


class TargetUnfit(MigrationError):
    """The target is in a state, at an Airflow version, or has an option, with which it cannot take the import."""


class TargetChanged(MigrationError):
    """The owner of an adopted target has changed its settings since the migration was planned."""


class UnknownOverride(MigrationError):
    """`target.overrides` names a field that CreateEnvironment does not take."""


class OverrideMissing(MigrationError):
    """A target in another region needs fields that cannot be copied from the source."""


class OverrideInvalid(MigrationError):
    """A field of `target.overrides` does not fit CreateEnvironment's model."""


class BucketNotFound(MigrationError):
    """A DAG bucket does not exist, or the function may not read its settings."""


class BucketNotVersioned(MigrationError):
    """A DAG bucket has no versioning, which Amazon MWAA requires."""


class BucketInOtherRegion(MigrationError):
    """A DAG bucket is in another region than its environment."""


class FolderShared(MigrationError):
    """Source and target would share a DAG folder."""


class RoleNotFound(MigrationError):
    """An execution role does not exist."""


class RoleUnfit(MigrationError):
    """Amazon MWAA may not assume an execution role."""


class RoleLacksRights(MigrationError):
    """The execution role allows the source something that it does not allow the target."""


class NetworkUnfit(MigrationError):
    """The subnets or security groups that the input names do not fit an environment."""


class RegionUnsupported(MigrationError):
    """Amazon MWAA has no endpoint in a region."""


class InputChanged(MigrationError):
    """A migration of this id was planned with another input."""


class EnvironmentLocked(MigrationError):
    """Another migration works on the source or the target."""


class LockLost(MigrationError):
    """Another migration has taken the source or the target over, so this one must not go on."""


class MigrationUnknown(MigrationError):
    """There is no migration of that id to roll back."""


class PreconditionsFailed(MigrationError):
    """Several preconditions do not hold; the message lists each with its name."""


# The environments.


class CreateEnvironmentRefused(MigrationError):
    """Amazon MWAA refused CreateEnvironment."""


class CreateEnvironmentFailed(MigrationError):
    """The target ended in CREATE_FAILED."""


class UpdateEnvironmentRefused(MigrationError):
    """Amazon MWAA refused UpdateEnvironment."""


class UpdateEnvironmentFailed(MigrationError):
    """A hop failed; Amazon MWAA rolled the target back or left it in UPDATE_FAILED."""


class EnvironmentUnavailable(MigrationError):
    """An environment is gone, being deleted, or UNAVAILABLE."""


class TargetBusy(MigrationError):
    """The target is in MAINTENANCE and cannot be upgraded yet; the state machine keeps trying for five hours."""


class EnvironmentTimedOut(MigrationError):
    """An environment did not become AVAILABLE within `options.environmentTimeoutSeconds`."""


# The resources.


class ResourceMissing(MigrationError):
    """An object that the source environment names does not exist in its bucket."""


class PluginsUnfit(MigrationError):
    """Our plugin cannot be added to the source's plugins: they are too large, or no archive."""


class CopyRefused(MigrationError):
    """S3 refused to read from the source's DAG bucket or to write to the target's."""


class DeleteRefused(MigrationError):
    """S3 refused to delete some of the objects that a migration has put into a bucket."""


class DagsNotParsed(MigrationError):
    """Our DAGs did not appear in an environment within `options.parseTimeoutSeconds`."""


# The CLI endpoint and DAG runs.


class CliRefused(MigrationError):
    """The CLI endpoint refused the token (403)."""


class CliUnreachable(MigrationError):
    """No connection to the environment's web server."""


class CliAnswerInvalid(MigrationError):
    """The CLI endpoint's answer is not the JSON that Amazon MWAA documents."""


class CommandFailed(MigrationError):
    """A command that only reads failed in an environment's Airflow."""


class DagRunRefused(MigrationError):
    """Airflow refused to create the DAG run."""


class DagRunFailed(MigrationError):
    """A DAG run failed without leaving a result."""


class DagRunTimedOut(MigrationError):
    """A DAG run did not end within `options.dagRunTimeoutSeconds`."""


class ResultMissing(MigrationError):
    """A DAG run succeeded and left no result in the exchange bucket."""


# Task logs.


class LogGroupNotFound(MigrationError):
    """A log group to copy from does not exist."""


class LogAccessDenied(MigrationError):
    """CloudWatch Logs, or the key of a log group, does not let the function read or write."""


class LogKeyRefused(MigrationError):
    """A log group could not be created with the KMS key of the source's log group."""


class LogWriteRefused(MigrationError):
    """CloudWatch Logs refused to write events for a reason that has no name of its own."""


class LogCopyUnderWay(MigrationError):
    """Another execution copies logs to the same environment."""


class LogCopyTakenOver(MigrationError):
    """Another invocation took this batch of log streams over; this one stopped writing."""


class LogsIncomplete(MigrationError):
    """The target and the archive do not hold what was read from the source, or batches are missing."""


# Checks of the target. A rehearsal's end in its report and fail nothing.


class ChecksFailed(MigrationError):
    """The target's checks found, before any DAG was paused or after an upgrade, what will not work there."""


class LinterFailed(MigrationError):
    """The linter of the DAGs' code is missing, failed, or took too long."""


# Judgement and cut-over.


class VerificationFailed(MigrationError):
    """Source and target differ in at least one table."""


class SourceActive(MigrationError):
    """Somebody unpaused DAGs of the source during the migration; after a cut-over they would run in both places."""


class CutOverFailed(MigrationError):
    """DAGs could not be unpaused in the target."""


class RollBackFailed(MigrationError):
    """The source could not be put back as it was."""


class ReportNotWritten(MigrationError):
    """Neither the exchange bucket nor the topic took the report; it is in the function's log and nowhere else."""


class CleanUpTimedOut(MigrationError):
    """The throw-away target was not gone within `options.environmentTimeoutSeconds`."""


class SweepIncomplete(MigrationError):
    """The sweep could not remove what is left of some rehearsals; it tries again the next time."""


def named(name: str, message: str) -> MigrationError:
    """A failure under the name that another part gave it, such as the engine's `ArtifactDamaged`.

    Names that are no Python identifiers become `DagRunFailed`, because the name ends up in the state machine's `Error`.
    """
    known = globals().get(name)
    if isinstance(known, type) and issubclass(known, MigrationError):
        return known(message)
    if not (name.isidentifier() and name[0].isupper()):
        return DagRunFailed(f"{name}: {message}")
    kind: type[MigrationError] = type(name, (MigrationError,), {"__doc__": "A failure that the engine named."})
    return kind(message)
