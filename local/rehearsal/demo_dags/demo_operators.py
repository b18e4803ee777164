"""Where the operators are, and what the schedule's parameter is called, in Airflow 1.10.12 to 3.x."""

import functools

from airflow import __version__ as airflow_version

try:  # 3.x
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:
    try:  # 2.x
        from airflow.operators.bash import BashOperator
        from airflow.operators.python import PythonOperator
    except ImportError:  # 1.10, where a function gets its context only if it asks for it
        from airflow.operators.bash_operator import BashOperator
        from airflow.operators.python_operator import PythonOperator as OldPythonOperator

        PythonOperator = functools.partial(OldPythonOperator, provide_context=True)

__all__ = ["BashOperator", "PythonOperator", "schedule"]


def schedule(value):
    """The DAG's keyword argument for its schedule: `schedule` since 2.4, `schedule_interval` before."""
    release = tuple(int(part) for part in airflow_version.split(".")[:2])
    return {"schedule" if release >= (2, 4) else "schedule_interval": value}
