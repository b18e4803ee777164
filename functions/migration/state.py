"""The seam between Step Functions and Python: the decorator that a handler wears."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3

from migration.aws.client_errors import naming_transient
from migration.errors import EventUnfit, MigrationError
from migration.observability import logger, metrics, tracer

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

Event = dict[str, Any]


def state(handle: Callable[..., Any]) -> Callable[[Event, LambdaContext], dict[str, Any]]:
    """Makes a Lambda handler of a function that takes the event's fields as keyword arguments.

    `waitedSeconds` is its `waited_seconds`; a dataclass that it returns becomes JSON in the same way. Every event may
    have `execution`. A field that is missing or unknown raises EventUnfit.

    Sets the execution's name (`event["execution"]`) as correlation id and the migration's id as a key of each line,
    names transient errors, logs a failure once, and counts named failures. Events and results are never logged.
    """

    parameters = inspect.signature(handle).parameters
    names = {camel_case(name): name for name in parameters}
    required = {field for field, name in names.items() if parameters[name].default is inspect.Parameter.empty}

    def arguments(event: Event) -> dict[str, Any]:
        missing, unknown = sorted(required - event.keys()), sorted(event.keys() - names.keys() - {"execution"})
        if missing or unknown:
            kinds = (("lacks", missing), ("has an unknown", unknown))
            problems = [f"{what} {', '.join(fields)}" for what, fields in kinds if fields]
            raise EventUnfit(
                f"The event of {handle.__module__} {' and '.join(problems)}. The state machine and the function are of "
                "different releases: deploy the whole stack again."
            )
        return {names[field]: value for field, value in event.items() if field in names}

    @functools.wraps(handle)
    def handler(event: Event, context: LambdaContext) -> dict[str, Any]:
        logger.set_correlation_id(event.get("execution"))
        migration = event.get("migration") or {}
        # Lambda's own SDK changes without a deployment.
        logger.append_keys(migration_id=migration.get("id"), sdk=boto3.__version__)
        try:
            with naming_transient():
                return _json(handle(**arguments(event)))
        except MigrationError as error:
            # Without the trace, which the runtime logs: the name and the message are what the user acts on.
            logger.error("failed", extra={"error_name": type(error).__name__, "error_message": str(error)})
            metrics.add_metric(name="NamedFailures", unit="Count", value=1)
            metrics.add_dimension(name="error", value=type(error).__name__)
            raise
        finally:
            # Not by Powertools' decorator, which warns of every call that has nothing to count.
            if metrics.metric_set:
                metrics.flush_metrics()

    # capture_response=False and log_event=False (the default): configuration options can hold secrets.
    traced = tracer.capture_lambda_handler(handler, capture_response=False)
    return logger.inject_lambda_context(traced, clear_state=True)


def camel_case(name: str) -> str:
    """`waited_seconds` -> `waitedSeconds`."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _json(result: Any) -> dict[str, Any]:
    if not dataclasses.is_dataclass(result):
        answer: dict[str, Any] = result
        return answer
    return {camel_case(field.name): getattr(result, field.name) for field in dataclasses.fields(result)}
