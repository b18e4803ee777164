"""Our DAGs and their tasks, which run the engine inside an Airflow."""
