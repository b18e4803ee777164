-- Rows whose parents are gone although foreign keys forbid it: restored with triggers disabled, or deleted as a replica.
-- Public: aws-samples/mwaa-disaster-recovery#30, astronomer/starship#162, #179.
insert into trigger (classpath, kwargs, created_date) values ('a.B', '{}', now());
update task_instance set state = 'deferred', trigger_id = (select max(id) from trigger) where run_id = 'r1';
set local session_replication_role = replica;
delete from dag_run where run_id = 'r3';
delete from trigger;
delete from log_template where id = (select min(id) from log_template);
update dag_run set log_template_id = 77 where run_id = 'r4';
