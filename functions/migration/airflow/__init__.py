"""An environment's Airflow: its versions, its commands, its options, and the runs of our DAGs in it."""
