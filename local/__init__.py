"""The local AWS: real Airflow, real PostgreSQL and an AWS endpoint on one machine, for rehearsals and tests."""
