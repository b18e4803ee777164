-- Two tasks that wait for triggers, and runs with a log template.
insert into trigger (id, classpath, kwargs, created_date) values (1, 'a.B', '', now()), (2, 'a.C', '', now());
update task_instance set state = 'deferred', trigger_id = 1 where run_id = 'r1';
update task_instance set state = 'deferred', trigger_id = 2 where run_id = 'r2';
update dag_run set log_template_id = (select max(id) from log_template);
