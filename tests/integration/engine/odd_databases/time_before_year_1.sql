-- A running task of a time that Python does not have: datetime.min in a zone east of Greenwich, written by SQL.
-- Public: psycopg/psycopg2#1307.
insert into dag_run (dag_id, run_id, execution_date, state, run_type) values
  ('early', 'm', '0001-01-01 00:00:00+01', 'running', 'manual'), ('late', 'm', 'infinity', 'running', 'manual');
insert into task_instance (dag_id, run_id, task_id, map_index, state, pool, pool_slots, start_date) values
  ('early', 'm', 't', -1, 'running', 'default_pool', 1, '0001-01-01 00:00:00+01');
