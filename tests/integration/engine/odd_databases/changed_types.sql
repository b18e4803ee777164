-- Columns in other types than Airflow's, with values that these have as well. Public: kind of what AWS DMS and pgloader
-- make of MySQL's.
alter table log alter column dttm type timestamp without time zone;
alter table task_instance alter column duration type numeric, alter column state type text;
alter table job alter column job_type type character(30);
alter table rendered_task_instance_fields alter column rendered_fields type jsonb using rendered_fields::jsonb;
insert into rendered_task_instance_fields (dag_id, task_id, run_id, map_index, rendered_fields) values
  ('d', 't', 'r1', -1, '{"b": 1, "a": 2}');
