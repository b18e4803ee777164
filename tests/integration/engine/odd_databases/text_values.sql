-- Values that the text columns could hold and Airflow's could not.
update task_instance set pid = 'n/a' where run_id = 'r1';
update task_instance set duration = 'long' where run_id = 'r2';
update task_instance set start_date = 'yesterday' where run_id = 'r3';
update task_instance set max_tries = '4000000000' where run_id = 'r4';
update dag_run set external_trigger = 'perhaps' where run_id = 'r4';
alter table task_instance alter column job_id type text;
update task_instance set job_id = '1' where run_id = 'r1';
