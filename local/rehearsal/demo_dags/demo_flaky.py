"""A task that succeeds at its second attempt, and one that fails for good."""

from datetime import datetime, timedelta

from airflow import DAG

from demo_operators import BashOperator, PythonOperator, schedule


def succeed_at_second_attempt(ti, **context):
    if ti.try_number < 2:
        raise RuntimeError("the first attempt fails on purpose")


with DAG("demo_flaky", start_date=datetime(2026, 1, 1), catchup=False, tags=["demo"], **schedule(None)) as dag:
    PythonOperator(
        task_id="flaky",
        python_callable=succeed_at_second_attempt,
        retries=1,
        retry_delay=timedelta(seconds=1),
    )
    BashOperator(task_id="broken", bash_command="echo 'about to fail'; exit 1")
