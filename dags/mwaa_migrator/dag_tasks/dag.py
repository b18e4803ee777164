"""Makes our DAGs under any Airflow from 1.10.12 on. The tasks' code is imported only when a task runs."""

from __future__ import annotations

import datetime
from typing import Any, Sequence


def make_dag(dag_id: str, description: str, tasks: Sequence[str]) -> Any:
    """A DAG without a schedule, whose tasks (names in ``tasks.TASKS``) run one after the other.

    It is created active, because a run of a paused DAG waits for ever, and has one run at a time.
    """
    from airflow import DAG

    arguments = {
        "dag_id": dag_id,
        "description": description,
        "start_date": datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
        "catchup": False,
        "max_active_runs": 1,
        "is_paused_upon_creation": False,
        "default_args": {
            "owner": "mwaa-migrator",
            # A worker whose folder is behind the scheduler's fails a task at once, for as long as a minute.
            "retries": 3,
            "retry_delay": datetime.timedelta(seconds=30),
            # A user's core.default_task_execution_timeout is meant for other tasks than an import of an hour.
            "execution_timeout": None,
            # Very high: a pool full of waiting tasks must not hold up a migration.
            "priority_weight": 1000,
        },
        "tags": ["mwaa-migrator"],
    }
    try:
        dag = DAG(schedule=None, **arguments)
    except TypeError:
        # Before Airflow 2.4 the argument has another name.
        dag = DAG(schedule_interval=None, **arguments)
    upstream = None
    for name in tasks:
        operator = _operator(name, dag)
        if upstream is not None:
            upstream >> operator
        upstream = operator
    return dag


def _operator(name: str, dag: Any) -> Any:
    def call(**context: Any) -> None:
        from mwaa_migrator.dag_tasks.tasks import run_task

        run_task(name, context)

    try:
        from airflow.operators.python import PythonOperator
    except ImportError:
        # Airflow 1.10 has it in another module, and hands over the context only if asked to.
        from airflow.operators.python_operator import PythonOperator

        return PythonOperator(task_id=name, python_callable=call, provide_context=True, dag=dag)
    return PythonOperator(task_id=name, python_callable=call, dag=dag)
