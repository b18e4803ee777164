"""CloudWatch Logs as a copy uses it: paced, retried where that is safe, and with named failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)

from migration import errors
from migration.aws import clients
from migration.aws.client_errors import code_of, is_transient, message_of
from migration.logs.clock import Clock
from migration.logs.pacing import Pacer
from migration.logs.packing import Event

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

_THROTTLES = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException"})
_DENIALS = frozenset({"AccessDenied", "AccessDeniedException", "KMSAccessDeniedException", "UnauthorizedOperation"})
# A role's session has ended before the SDK thought it would, because a clock is wrong. The call was not carried out.
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
_RETRIES = 6


class OutOfTime(Exception):
    """The invocation's time is up; what was answered until now is certain, and nothing is on its way."""


class StreamMissing(Exception):
    """The log stream does not exist."""


class GroupMissing(Exception):
    """The log group does not exist."""


class Unanswered(Exception):
    """Whether a PutLogEvents was carried out is not known: no answer came, or one that does not say so."""


class LogsApi:
    """The calls of one account and region. For any number of threads."""

    def __init__(
        self, client: CloudWatchLogsClient, pacer: Pacer, *, until: float, where: str, clock: Clock | None = None
    ) -> None:
        """`until`: when (monotonic) an invocation stops trying. `where`: `account's role or region`, for messages."""
        self._client = client
        self._pacer = pacer
        self._until = until
        self._where = where
        self._clock = clock or Clock()

    # Reading.

    def expect_readers(self, streams: int) -> None:
        """So many streams more, or fewer, are to be read one by one: what the source's quota is shared by."""
        self._pacer.expect("GetLogEvents", streams)

    def events(self, group: str, stream: str, start: int, end: int, token: str | None) -> tuple[list[Event], str]:
        """A page of a stream's events, oldest first, and the token of the next. `end` is exclusive."""
        more: dict[str, Any] = {"nextToken": token} if token else {}
        answer = self._call(
            "GetLogEvents",
            group,
            self._client.get_log_events,
            logGroupName=group,
            logStreamName=stream,
            startTime=start,
            endTime=end,
            startFromHead=True,
            **more,
        )
        return _before(answer["events"], end), answer["nextForwardToken"]

    def events_of_many(
        self, group: str, streams: list[str], start: int, end: int, token: str | None
    ) -> tuple[list[Event], str | None]:
        """A page of the events of up to 100 streams, each with its `logStreamName`, and the next token if any."""
        more: dict[str, Any] = {"nextToken": token} if token else {}
        answer = self._call(
            "FilterLogEvents",
            group,
            self._client.filter_log_events,
            logGroupName=group,
            logStreamNames=streams,
            startTime=start,
            endTime=end,
            **more,
        )
        return _before(answer["events"], end), answer.get("nextToken")

    def streams(self, group: str, token: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """A page of a group's streams, those with the latest events first."""
        more: dict[str, Any] = {"nextToken": token} if token else {}
        answer = self._call(
            "DescribeLogStreams",
            group,
            self._client.describe_log_streams,
            logGroupName=group,
            orderBy="LastEventTime",
            descending=True,
            **more,
        )
        return answer["logStreams"], answer.get("nextToken")

    def group(self, name: str) -> dict[str, Any] | None:
        """A log group, or None."""
        token: str | None = None
        while True:
            more: dict[str, Any] = {"nextToken": token} if token else {}
            answer = self._call(
                "DescribeLogGroups", name, self._client.describe_log_groups, logGroupNamePrefix=name, **more
            )
            for found in answer["logGroups"]:
                if found["logGroupName"] == name:
                    return dict(found)
            token = answer.get("nextToken")
            if token is None:
                return None

    # Writing.

    def create_group(self, name: str, retention_days: int | None, key: str | None) -> None:
        """Creates a log group; one that has come into being meanwhile is left as it is. Raises LogKeyRefused."""
        with_key: dict[str, Any] = {"kmsKeyId": key} if key else {}
        try:
            self._call("CreateLogGroup", name, self._client.create_log_group, logGroupName=name, **with_key)
        except ClientError as error:
            if code_of(error) == "ResourceAlreadyExistsException":
                return
            if key and code_of(error) == "InvalidParameterException":
                raise errors.LogKeyRefused(
                    f"Log group {name} cannot be created with the key of the source's, {key}: {message_of(error)}. Let "
                    "CloudWatch Logs use the key for that group in the key's policy, or create the group yourself."
                ) from error
            raise
        if retention_days:
            self._call(
                "PutRetentionPolicy",
                name,
                self._client.put_retention_policy,
                logGroupName=name,
                retentionInDays=retention_days,
            )

    def create_stream(self, group: str, stream: str) -> bool:
        """Creates a stream. False: it was there."""
        try:
            self._call(
                "CreateLogStream", group, self._client.create_log_stream, logGroupName=group, logStreamName=stream
            )
        except ClientError as error:
            if code_of(error) == "ResourceAlreadyExistsException":
                return False
            raise
        return True

    def put(self, group: str, stream: str, events: list[Event], hold: Callable[[], None]) -> dict[str, int]:
        """Writes one legal batch; returns `rejectedLogEventsInfo`. Raises ClientError for an InvalidParameter.

        Calls `hold` when it is about to send. Raises Unanswered instead of trying again when the batch may have been
        written.
        """
        answer = self._call(
            "PutLogEvents",
            group,
            self._client.put_log_events,
            before=hold,
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": event["timestamp"], "message": event["message"]} for event in events],
        )
        rejected: dict[str, int] = answer.get("rejectedLogEventsInfo") or {}
        return rejected

    def _call(
        self,
        operation: str,
        group: str,
        method: Callable[..., Any],
        before: Callable[[], None] | None = None,
        **request: Any,
    ) -> Any:
        """One call, retried while throttled; other transient errors are retried a few times."""
        writes = operation == "PutLogEvents"
        failures = 0
        while True:
            if self._clock.monotonic() > self._until:
                raise OutOfTime
            self._pacer.wait(operation)
            if before is not None:
                before()
            try:
                answer = method(**request)
            except ClientError as error:
                # A throttled call was not carried out, and so may be repeated, PutLogEvents too.
                if code_of(error) in _THROTTLES:
                    self._pacer.pause(operation)
                    continue
                if not is_transient(error):
                    self._raise_named(error, operation, group)
                if writes:
                    raise Unanswered(f"{operation}: {message_of(error)}") from error
                failure: Exception = error
            except (ConnectTimeoutError, EndpointConnectionError) as error:
                # Nothing was sent.
                failure = error
            except HTTPClientError as error:
                if writes:
                    raise Unanswered(f"{operation}: {error}") from error
                failure = error
            else:
                self._pacer.reset_pause(operation)
                return answer
            failures += 1
            if failures > _RETRIES:
                raise failure
            self._clock.sleep(min(0.2 * 2**failures, 5.0))

    def _raise_named(self, error: ClientError, operation: str, group: str) -> NoReturn:
        code, message = code_of(error), message_of(error)
        if code in _DENIALS or "not authorized" in message:
            raise errors.LogAccessDenied(
                f"logs:{operation} on {group} in {self._where}: {message}. Give the function's role this right "
                "(LogGroupArns), or let CloudWatch Logs use the group's key."
            ) from error
        if code in _EXPIRED:
            # The SDK renews sessions in time by itself; this one it believes to be valid, so it is given up.
            clients.logs.cache_clear()
            raise errors.TransientError(
                f"logs:{operation} on {group} in {self._where}: {message}. The next try begins a new session."
            ) from error
        if code == "ResourceNotFoundException":
            raise (GroupMissing if "group" in message else StreamMissing)(f"{group}: {message}") from error
        raise error


def _before(events: list[Event], end: int) -> list[Event]:
    """GetLogEvents leaves out events at `endTime`, FilterLogEvents does not (API reference)."""
    if events and events[-1]["timestamp"] >= end:
        return [event for event in events if event["timestamp"] < end]
    return events
