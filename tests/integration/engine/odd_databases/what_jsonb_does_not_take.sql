-- XComs that look like JSON and that jsonb does not take; those of r4 look odd, and are taken. Runs' confs, pickled, with
-- a NUL at the beginning of a text, half a character, and a zero. Public: apache/airflow#73248 (jsonb's limits), #69063.
insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp)
  select r.id, 'd', r.run_id, 't', -1, x.key, convert_to(x.value, 'UTF8'), now()
    from dag_run r join (values
      ('r1', 'broken', '{"a": [1, 2}'), ('r1', 'deep', repeat('[', 20000) || repeat(']', 20000)),
      ('r2', 'escaped', '"\\\u0000"'), ('r2', 'fraction', '0.1e200000'),
      ('r4', 'text', '"1e200000 \\u0000 {[NaN"'), ('r4', 'small', '0.0001e131074')) x (run_id, key, value)
      using (run_id) where r.dag_id = 'd';
insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp)
  select id, 'd', run_id, 't', -1, 'bytes', '\x22ff22', now() from dag_run where run_id = 'r3' and dag_id = 'd';
-- {"a": "\0b"}, {"a": 0} and {"a": "\ud800"}
update dag_run set conf = '\x8005950d000000000000007d948c0161948c02006294732e' where run_id = 'r1' and dag_id = 'd';
update dag_run set conf = '\x8005950a000000000000007d948c0161944b00732e' where run_id = 'r2' and dag_id = 'd';
update dag_run set conf = '\x8005950e000000000000007d948c0161948c03eda08094732e' where run_id = 'r3' and dag_id = 'd';
