-- An XCom whose text has a NUL character, as Airflow's JSON writes it. Public: apache/airflow#69063, #69064.
insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp)
  select id, dag_id, run_id, 't', -1, 'k', convert_to('{"name": "Foo\u0000bar"}', 'UTF8'), now() from dag_run where run_id = 'r1';
