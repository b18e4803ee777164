-- Columns that Airflow has as numbers, times and booleans, as text; the values are still Airflow's. Public: kind of what a
-- load from CSV into tables that were made for it leaves.
alter table task_instance alter column pid type text, alter column duration type character varying(40);
alter table task_instance alter column start_date type text, alter column max_tries type character(12);
alter table dag_run alter column external_trigger type text;
update task_instance set pid = ' 12', duration = '1e0', start_date = '2026-01-02 03:04:05.5+01', max_tries = '3' where run_id = 'r1';
update task_instance set duration = 'NaN', start_date = 'infinity' where run_id = 'r4';
update dag_run set external_trigger = 'Yes';
