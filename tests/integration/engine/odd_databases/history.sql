-- Some history in the columns that every 2.x from 2.5 on has.
insert into dag_run (dag_id, run_id, execution_date, state, run_type) select 'd', 'r' || n, now() - n * interval '1 day', 'success', 'manual' from generate_series(1, 4) n;
insert into task_instance (dag_id, run_id, task_id, map_index, state, pool, pool_slots, duration) select 'd', run_id, 't', -1, 'success', 'default_pool', 1, 1.234567 from dag_run where dag_id = 'd';
insert into job (dag_id, state, job_type) select 'd', 'success', 'LocalTaskJob' from generate_series(1, 3);
insert into log (dttm, dag_id, event, owner, extra) select now(), 'd', 'cli', 'José', '{"a": "é"}' from generate_series(1, 5);
insert into variable (key, val, is_encrypted, description) values ('stadt', 'Zürich', false, 'Größe');
