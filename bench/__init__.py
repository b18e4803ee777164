"""Benchmarks against what else copies an Airflow metadata database; see docs/benchmarks.md."""
