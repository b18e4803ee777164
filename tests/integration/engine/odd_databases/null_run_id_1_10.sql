-- A run without an id. Public: apache/airflow#18801.
insert into dag_run (dag_id, execution_date, state) values ('nameless', '2020-01-01', 'success');
