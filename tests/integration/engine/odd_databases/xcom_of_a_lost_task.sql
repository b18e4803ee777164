-- An XCom whose task is gone, and its task's note.
insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp)
  select id, dag_id, run_id, 't', -1, 'return_value', '1', now() from dag_run where dag_id = 'd';
set local session_replication_role = replica;
delete from task_instance where run_id = 'r2';
