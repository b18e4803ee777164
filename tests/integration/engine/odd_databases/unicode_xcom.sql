-- Characters beyond ASCII, as they are and as JSON escapes.
insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp)
  select id, dag_id, run_id, 't', -1, 'k', convert_to('"\u00fc and ü"', 'UTF8'), now() from dag_run where run_id = 'r1';
