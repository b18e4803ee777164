"""Every source version, migrated to the newest 2.11 and to Airflow 3, with real DAG runs: `make matrix`."""
