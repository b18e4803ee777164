-- Some history in the columns of 1.10.
insert into dag_run (dag_id, run_id, execution_date, state) select 'd', 'r' || n, now() - n * interval '1 day', 'success' from generate_series(1, 4) n;
insert into task_instance (dag_id, task_id, execution_date, state, try_number, max_tries, pool, pool_slots, duration)
  select 'd', 't', execution_date, 'success', 1, 1, 'default_pool', 1, 1.234567 from dag_run where dag_id = 'd';
insert into xcom (dag_id, task_id, execution_date, key, value, timestamp)
  select 'd', 't', execution_date, 'k', 'newest', '2020-01-03' from dag_run where dag_id = 'd';
insert into log (dttm, dag_id, event, owner) select now(), 'd', 'cli', 'José' from generate_series(1, 5);
