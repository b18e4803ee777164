"""The agent beside a self-managed Airflow: what it needs, and how it serves a migration."""
