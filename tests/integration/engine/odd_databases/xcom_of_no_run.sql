-- An XCom whose number of a run is none's; no constraint says that it must be.
insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp) values
  (999999, 'd', 'r1', 't', -1, 'of no run', '1', now());
