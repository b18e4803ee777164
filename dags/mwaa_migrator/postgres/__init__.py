"""PostgreSQL: statements, the catalog, checksums. Nothing here knows Airflow."""
