"""Runs translated pipelines, in both versions of Airflow, against a local AWS with a machine and Hadoop."""
