-- Two XComs of one key, task and date: 1.10 has no constraint against it, and two tries can end at once.
-- Public: apache/airflow#20975, #69956.
insert into xcom (dag_id, task_id, execution_date, key, value, timestamp)
  select dag_id, task_id, execution_date, key, 'older', '2020-01-02' from xcom where dag_id = 'd' order by id limit 1;
