-- Columns that somebody has widened or let be NULL, and what they hold since. Public: apache/airflow#59795 and #56424
-- (an id, and a type, too long for their columns; the second was widened by hand).
alter table task_instance alter column operator type text;
alter table log alter column event type character varying(500);
alter table task_instance alter column pool drop not null, alter column pid type bigint;
update task_instance set operator = repeat('x', 1001) where run_id = 'r1';
update task_instance set pid = 4000000000 where run_id = 'r2';
update task_instance set pool = null where run_id = 'r3';
update log set event = repeat('e', 61) where id = (select min(id) from log where dag_id = 'd');
-- These hold nothing that the target's do not.
alter table log alter column id type bigint, alter column owner type text;
alter table dag_run alter column id type bigint;
alter table xcom alter column key type text;
