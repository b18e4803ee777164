-- Somebody moved to SQL_ALCHEMY_SCHEMA and left the old installation in public, whole. Public: apache/airflow#47300.
create schema airflow authorization airflow_owner;
create table airflow.dag_run (like public.dag_run including all);
alter table airflow.dag_run owner to airflow_owner;
