"""Who is told when a task of our DAGs has started, whichever Airflow runs it."""

from __future__ import annotations

from collections.abc import Callable

from local.mwaa.airflow_processes import AirflowProcesses

#: Called with the task's process, which leads its process group, and with its environment's Airflow.
Listener = Callable[[int, AirflowProcesses], None]

listeners: list[Listener] = []


def tell(process: int, airflow: AirflowProcesses) -> None:
    for listener in listeners:
        listener(process, airflow)
