-- A running task of datetime.min in a zone east of Greenwich. Public: psycopg/psycopg2#1307, dbcli/pgcli#448.
insert into dag_run (dag_id, run_id, execution_date, state) values ('early', 'm', '0001-01-01 00:00:00+01', 'running');
insert into task_instance (dag_id, task_id, execution_date, state, try_number, max_tries, pool, pool_slots)
  values ('early', 't', '0001-01-01 00:00:00+01', 'running', 1, 1, 'default_pool', 1);
