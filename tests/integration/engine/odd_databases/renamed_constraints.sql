-- Constraints and indexes under other names, as pgloader gives them. Public: apache/airflow#43806 (a constraint that a
-- migration drops does not exist).
alter table task_map rename constraint task_map_task_instance_fkey to idx_16384_fk;
alter table task_instance rename constraint task_instance_pkey to idx_16385_primary;
alter index ti_state rename to idx_16386_ti_state;
alter table dag_run rename constraint dag_run_dag_id_run_id_key to idx_16387_run;
