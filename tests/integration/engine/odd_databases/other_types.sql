-- Columns in other types than Airflow's, with values that these have and values that they have not.
-- Public: kind of what AWS DMS and pgloader make of MySQL's.
alter table task_instance alter column pid type numeric, alter column operator type character(2000);
alter table task_instance alter column queued_by_job_id type numeric;
alter table variable alter column is_encrypted type smallint using is_encrypted::int;
update task_instance set pid = 12, operator = 'an operator' where run_id = 'r1';
