from mwaa_migrator.airflow_schema.tables import OWN_DAGS

from migration.airflow import our_dags


def test_functions_and_engine_agree_on_what_is_no_dag_of_the_users() -> None:
    assert our_dags.OURS == OWN_DAGS
