"""What Airflow's tables mean, as far as the database's catalog does not say it."""
