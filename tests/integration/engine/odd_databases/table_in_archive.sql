-- One of Airflow's tables in a schema that is not on the search_path, and another one dropped.
create schema archive authorization airflow_owner;
alter table task_fail set schema archive;
drop table task_map;
