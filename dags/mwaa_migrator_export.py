"""An Airflow DAG: writes this environment's history and settings into an artifact.

Triggered with conf ``{"artifact": "s3://bucket/prefix/<artifact id>", "options": {...}}``.
"""

# Airflow 1.10 parses only files in which it finds the words DAG and airflow, in this spelling.
from mwaa_migrator.dag_tasks.dag import make_dag

dag = make_dag(
    "mwaa_migrator_export",
    "Writes this environment's history and settings into an artifact",
    ["quiesce", "drain", "export", "compare"],
)
