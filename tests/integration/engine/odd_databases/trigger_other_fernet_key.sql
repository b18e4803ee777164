-- Deferred tasks, one of whose triggers was encrypted with a key that is gone.
-- Public: apache/airflow#47963, #16313, astronomer/starship#162.
insert into trigger (id, classpath, kwargs, created_date) values
  (7, 'a.B', '', now()), (8, 'a.B', 'gAAAAAof-a-key-that-is-gone', now()), (9, 'a.B', '', now());
update task_instance set state = 'deferred', trigger_id = 7 where run_id = 'r1';
update task_instance set state = 'deferred', trigger_id = 8 where run_id = 'r2';
update task_instance set state = 'deferred', trigger_id = 9 where run_id = 'r3';
