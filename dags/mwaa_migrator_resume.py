"""An Airflow DAG: puts back the pause states that the export's quiesce changed.

Triggered with conf ``{"artifact": "s3://bucket/prefix/<artifact id>", "options": {...}}``.
"""

# Airflow 1.10 parses only files in which it finds the words DAG and airflow, in this spelling.
from mwaa_migrator.dag_tasks.dag import make_dag

dag = make_dag(
    "mwaa_migrator_resume",
    "Puts back the pause states that the export's quiesce changed",
    ["resume"],
)
