-- Foreign keys are lost; tasks wait for triggers. Public: apache/airflow#28458 (a restore without constraints).
alter table task_instance drop constraint task_instance_trigger_id_fkey;
alter table dag_run drop constraint task_instance_log_template_id_fkey;
