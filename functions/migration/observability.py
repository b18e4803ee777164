"""Logs, traces and metrics of every function, and the decorator that a handler wears."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics, Tracer

from migration.aws.client_errors import naming_transient
from migration.errors import MigrationError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

Event = dict[str, Any]
Handler = Callable[[Event], dict[str, Any]]

# Service, namespace and level come from the template's environment variables.
logger = Logger()
tracer = Tracer()
metrics = Metrics()


def state(handle: Handler) -> Callable[[Event, LambdaContext], dict[str, Any]]:
    """Makes a function of the event a Lambda handler.

    Sets the execution's name (`event["execution"]`) as correlation id and the migration's id as a key of each line,
    names transient faults, logs a failure once, and counts named failures. Events and results are never logged.
    """

    @functools.wraps(handle)
    def handler(event: Event, context: LambdaContext) -> dict[str, Any]:
        logger.set_correlation_id(event.get("execution"))
        migration = event.get("migration") or {}
        logger.append_keys(migration_id=migration.get("id"))
        try:
            with naming_transient():
                return handle(event)
        except MigrationError as error:
            # Without the trace, which the runtime logs: the name and the message are what the user acts on.
            logger.error(  # noqa: TRY400
                "failed", extra={"error_name": type(error).__name__, "error_message": str(error)}
            )
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
