-- A schema of the user's own appeared after the installation; "$user" comes first on the search_path, so the tables that an
-- upgrade made lie there and the old ones in public. Public: apache/airflow#10309.
create schema airflow_owner authorization airflow_owner;
alter table dataset_event set schema airflow_owner;
alter table task_instance_note set schema airflow_owner;
