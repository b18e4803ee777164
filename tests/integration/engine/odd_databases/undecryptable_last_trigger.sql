-- Of two triggers the last was encrypted with a key that is gone. Public: apache/airflow#47963.
insert into trigger (id, classpath, kwargs, created_date) values
  (7, 'a.B', '', now()), (8, 'a.B', 'gAAAAAof-a-key-that-is-gone', now());
update task_instance set state = 'deferred', trigger_id = 7 where run_id = 'r1';
update task_instance set state = 'deferred', trigger_id = 8 where run_id = 'r2';
