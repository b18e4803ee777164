"""The Airflow that the engine runs in."""
