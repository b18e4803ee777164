-- Of the tables in the schema of SQL_ALCHEMY_SCHEMA, first on the search_path, one has stayed in public.
-- Public: apache/airflow#27348.
alter table airflow.task_reschedule set schema public;
