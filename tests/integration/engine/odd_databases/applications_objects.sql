-- What somebody added to Airflow's tables under words that its migrations use elsewhere: columns, a default that calls a
-- function, an index, unique constraints. Public: kind of apache/airflow#31280, aws-samples/mwaa-disaster-recovery#30.
create schema app authorization airflow_owner;
create function app.f() returns integer language sql as 'select 1';
alter table task_instance add column owner text, add column email text, add column user_id integer;
alter table xcom add column description text;
alter table slot_pool alter column slots set default app.f();
create index ix_slow_tasks on task_instance (duration);
alter table variable add constraint one_description unique (description);
