-- task_instance has lost its primary key and what depended on it: a restore without constraints. Public: apache/airflow#28458.
alter table task_instance drop constraint task_instance_pkey cascade;
