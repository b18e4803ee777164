"""The log groups of an environment, as its LoggingConfiguration names them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

logger = logging.getLogger(__name__)

#: LoggingConfiguration's modules, and how the names of their log groups end.
SUFFIXES = {
    "DagProcessingLogs": "DAGProcessing",
    "SchedulerLogs": "Scheduler",
    "WebserverLogs": "WebServer",
    "WorkerLogs": "Worker",
    "TaskLogs": "Task",
}


def configuration(given: Mapping[str, Any]) -> dict[str, Any]:
    """CreateEnvironment's LoggingConfiguration with its defaults: task logs on, the others off, level INFO."""
    return {
        module: {"Enabled": module == "TaskLogs", "LogLevel": "INFO", **given.get(module, {})} for module in SUFFIXES
    }


def group_name(environment: str, module: str) -> str:
    return f"airflow-{environment}-{SUFFIXES[module]}"


def enabled(settings: Mapping[str, Any]) -> list[str]:
    """The modules whose logs are on."""
    return [module for module in SUFFIXES if settings["LoggingConfiguration"].get(module, {}).get("Enabled")]


def create(logs: CloudWatchLogsClient, environment: str, modules: list[str]) -> None:
    """Makes the log groups that are missing. They outlive their environment, so one of the same name finds them."""
    for module in modules:
        try:
            logs.create_log_group(logGroupName=group_name(environment, module))
        except logs.exceptions.ResourceAlreadyExistsException:
            logger.info("the log group %s was there", group_name(environment, module))
