-- The unique constraints of dag_run are lost, and a run is there twice. Public: apache/airflow#28458 (a restore without
-- constraints), astronomer/starship#179.
alter table dag_run drop constraint dag_run_dag_id_run_id_key cascade;
alter table dag_run drop constraint dag_run_dag_id_execution_date_key;
insert into dag_run (dag_id, run_id, execution_date, state, run_type, clear_number)
  select dag_id, run_id, execution_date, 'failed', run_type, 0 from dag_run where run_id = 'r1';
