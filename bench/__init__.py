"""Benchmarks against the other tools that copy an Airflow metadata database; see docs/benchmarks.md."""
