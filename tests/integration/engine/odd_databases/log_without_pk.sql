-- Public: apache/airflow#28458 (a restore without constraints).
alter table log drop constraint log_pkey;
