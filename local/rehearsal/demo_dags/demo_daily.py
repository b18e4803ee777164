"""A DAG with a schedule, whose runs of the last days are caught up."""

from datetime import datetime, timedelta

from airflow import DAG

from demo_operators import BashOperator, schedule

TODAY = datetime.combine(datetime.utcnow().date(), datetime.min.time())

with DAG("demo_daily", start_date=TODAY - timedelta(days=2), catchup=True, tags=["demo"], **schedule("@daily")) as dag:
    BashOperator(task_id="report", bash_command="echo report of {{ ds }}")
