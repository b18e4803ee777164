"""A DAG that stays paused, in the source as in the target."""

from datetime import datetime

from airflow import DAG

from demo_operators import BashOperator, schedule

with DAG("demo_paused", start_date=datetime(2026, 1, 1), catchup=False, tags=["demo"], **schedule("@hourly")) as dag:
    BashOperator(task_id="never", bash_command="echo never")
