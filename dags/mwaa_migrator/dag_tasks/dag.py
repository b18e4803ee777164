"""Makes our DAGs under any Airflow from 1.10.12 on; the tasks' code is imported only when a task runs."""

from __future__ import annotations

import datetime
import importlib
from typing import Any, Sequence


def make_dag(dag_id: str, doc: str, tasks: Sequence[str], retries: int) -> Any:
    """A DAG without a schedule, whose ``tasks`` (functions of ``mwaa_migrator.tasks``) run one after the other.

    It is created active, because a trigger of a paused DAG waits for ever, and runs one at a time.
    """
    from airflow import DAG

    arguments = {
        "dag_id": dag_id,
        "description": doc,
        "start_date": datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
        "catchup": False,
        "max_active_runs": 1,
        "is_paused_upon_creation": False,
        "default_args": {
            "owner": "mwaa-migrator",
            "retries": retries,
            "retry_delay": datetime.timedelta(seconds=15),
            # The highest weight: a pool full of waiting tasks must not hold up a migration.
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
        tasks = importlib.import_module("mwaa_migrator.dag_tasks.tasks")
        # The longer name first: the module also has the plain function `export`, which is no task.
        function = getattr(tasks, name + "_task", None) or getattr(tasks, name)
        function(**context)

    try:
        from airflow.operators.python import PythonOperator
    except ImportError:
        # Airflow 1.10: another module, and the context is handed over only when asked for.
        from airflow.operators.python_operator import PythonOperator

        return PythonOperator(task_id=name, python_callable=call, provide_context=True, dag=dag)
    return PythonOperator(task_id=name, python_callable=call, dag=dag)
