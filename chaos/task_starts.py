"""Announces each task of our DAGs that starts, whichever Airflow runs it."""

from __future__ import annotations

from collections.abc import Callable

from local.mwaa.airflow_processes import AirflowProcesses

#: Called with the id of the task's process, which leads a process group, and with its environment's Airflow.
Listener = Callable[[int, AirflowProcesses], None]

listeners: list[Listener] = []


def announce(process: int, airflow: AirflowProcesses) -> None:
    for listener in listeners:
        listener(process, airflow)
