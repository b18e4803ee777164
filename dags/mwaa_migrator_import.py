"""An Airflow DAG: merges an artifact into this environment's database and verifies it.

Triggered with conf ``{"artifact": "s3://bucket/prefix/<artifact id>", "options": {...}}``.
"""

# Airflow 1.10 parses only files in which it finds the words DAG and airflow, in this spelling.
from mwaa_migrator.dag_tasks.dag import make_dag

dag = make_dag(
    "mwaa_migrator_import",
    "Merges an artifact into this environment's database and verifies it",
    ["import", "verify"],
)
