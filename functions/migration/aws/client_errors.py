"""Reads what AWS answered: which errors pass by themselves, and which say something about the request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from migration.errors import TransientError

# S3 did not write: the object is another one by now, or none. 409 is its answer where two conditional writes met.
CONDITION_FAILED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})
_TRANSIENT_CODES = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerException",
        "LimitExceededException",
        "OperationAborted",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


def code_of(error: ClientError) -> str:
    """The service's error code, such as `NoSuchKey`; HEAD requests have only the status, such as `404`."""
    return error.response.get("Error", {}).get("Code", "")


def message_of(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Message", "") or str(error)


def is_transient(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code_of(error) in _TRANSIENT_CODES or status >= 500 or status == 429


@contextmanager
def naming_transient() -> Iterator[None]:
    """Raises `TransientError` for errors that pass by themselves, so that the state machine knows what to retry."""
    try:
        yield
    except ClientError as error:
        if is_transient(error):
            raise TransientError(f"{error.operation_name}: {code_of(error)}: {message_of(error)}") from error
        raise
    except (ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError) as error:
        raise TransientError(f"{error}. AWS could not be reached from the function.") from error
