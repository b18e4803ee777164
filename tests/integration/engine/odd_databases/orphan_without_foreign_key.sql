-- The foreign keys of task instances are lost or have another name, and so have rows that they would forbid.
-- Public: apache/airflow#28458, astronomer/starship#162.
alter table task_instance drop constraint task_instance_dag_run_fkey;
alter table task_reschedule rename constraint task_reschedule_dr_fkey to fk_17;
set local session_replication_role = replica;
delete from dag_run where run_id in ('r1', 'r3');
insert into task_reschedule (task_id, dag_id, run_id, map_index, try_number, start_date, end_date, duration, reschedule_date)
  select task_id, dag_id, run_id, map_index, 1, now(), now(), 1, now() from task_instance;
