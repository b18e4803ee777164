"""Every source version to the newest 2.11, and on to Airflow 3: real DAG runs, exported, imported, verified."""
