"""What Airflow's option `sql_alchemy_connect_args` names in the images, with their values."""

MWAA_CONNECT_ARGS = {
    "connect_timeout": 15,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 5,
}
