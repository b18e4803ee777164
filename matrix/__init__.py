"""Every source version, migrated to the newest 2.11 and on to Airflow 3, with real DAG runs: `make matrix`."""
