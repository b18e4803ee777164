"""An ETL DAG with XComs, a variable and a configuration of the run."""

from datetime import datetime

from airflow import DAG

from demo_operators import PythonOperator, schedule


def extract(**context):
    count = int((context["dag_run"].conf or {}).get("orders", 3))
    orders = [{"id": number, "amount": 10.5 * number, "city": "Zürich"} for number in range(1, count + 1)]
    print(f"extracted {len(orders)} orders; a line break in a value:\n{orders[0]}")
    return orders


def transform(ti, **context):
    orders = ti.xcom_pull(task_ids="extract")
    return {"orders": len(orders), "total": sum(order["amount"] for order in orders)}


def load(ti, **context):
    summary = ti.xcom_pull(task_ids="transform")
    print("loaded {orders} orders, {total} in total".format(**summary))


with DAG("demo_orders", start_date=datetime(2026, 1, 1), catchup=False, tags=["demo"], **schedule(None)) as dag:
    (
        PythonOperator(task_id="extract", python_callable=extract)
        >> PythonOperator(task_id="transform", python_callable=transform)
        >> PythonOperator(task_id="load", python_callable=load)
    )
