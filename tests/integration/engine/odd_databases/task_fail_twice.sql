-- Failures that are recorded twice; the migration to 2.3 moves them aside. Public: apache/airflow#23472.
insert into task_fail (dag_id, task_id, execution_date, start_date)
  select 'd', 't', execution_date, '2020-01-01' from dag_run, generate_series(1, 2) where run_id = 'r1';
