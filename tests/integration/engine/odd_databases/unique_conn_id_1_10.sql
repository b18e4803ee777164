-- What 2.0 was to bring, made by hand before. Public: kind of apache/airflow#14420.
alter table connection add constraint unique_conn_id unique (conn_id);
