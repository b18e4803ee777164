"""What differs between the Airflow versions in the DAGs of this folder."""

from __future__ import annotations

import datetime
import re

from airflow import DAG, __version__
from airflow.utils import timezone

VERSION = tuple(int(part) for part in re.findall(r"\d+", __version__)[:3])

if VERSION >= (2, 0):
    from airflow.operators.bash import BashOperator
    from airflow.operators.python import BranchPythonOperator, PythonOperator, ShortCircuitOperator
    from airflow.sensors.python import PythonSensor
else:
    from airflow.contrib.sensors.python_sensor import PythonSensor
    from airflow.operators.bash_operator import BashOperator
    from airflow.operators.python_operator import BranchPythonOperator, PythonOperator, ShortCircuitOperator

if VERSION >= (2, 2):
    from airflow.triggers.temporal import TimeDeltaTrigger

__all__ = ["SOON", "START", "VERSION", "BashOperator", "Waits", "branch", "dag", "python", "sensor", "short_circuit"]

START = timezone.datetime(2021, 1, 1)

#: Seconds until a retry or the next poke. A task of 1.10 that is queued again before the executor's report of the try
#: before has been read is taken for killed, and a busy scheduler takes its time.
SOON = 15 if VERSION < (2, 0) else 2


def dag(dag_id, schedule=None, retries=0, **arguments):
    """A DAG with the version's name for its schedule, whose tasks retry soon."""
    arguments["schedule" if VERSION >= (2, 4) else "schedule_interval"] = schedule
    defaults = {
        "owner": "the source's team",
        "retries": retries,
        "retry_delay": datetime.timedelta(seconds=SOON),
        **arguments.pop("default_args", {}),
    }
    return DAG(dag_id, start_date=START, default_args=defaults, **{"catchup": False, **arguments})


def _with_context(arguments):
    # 1.10 hands a task its context only when asked to; 2.0 refuses to be asked.
    return arguments if VERSION >= (2, 0) else dict(arguments, provide_context=True)


def python(task_id, function, **arguments):
    return PythonOperator(task_id=task_id, python_callable=function, **_with_context(arguments))


def branch(task_id, function, **arguments):
    return BranchPythonOperator(task_id=task_id, python_callable=function, **_with_context(arguments))


def short_circuit(task_id, function, **arguments):
    return ShortCircuitOperator(task_id=task_id, python_callable=function, **_with_context(arguments))


def sensor(task_id, function, poke_interval):
    """A sensor that frees its slot between its pokes."""
    return PythonSensor(
        task_id=task_id,
        python_callable=function,
        mode="reschedule",
        poke_interval=poke_interval,
        timeout=1000 * poke_interval,
        **_with_context({}),
    )


class Waits(BashOperator):
    """Defers for `wait`, then runs its command."""

    def __init__(self, wait, **arguments):
        super().__init__(**arguments)
        self.wait = wait

    def execute(self, context):
        self.defer(trigger=TimeDeltaTrigger(self.wait), method_name="run_command")

    def run_command(self, context, event=None):
        return super().execute(context)
