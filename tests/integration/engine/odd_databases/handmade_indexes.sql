-- Indexes that a DBA made: one under the name that Airflow gave it later, one that only says what rows must not be, and one
-- over an expression. Public: apache/airflow#28944, #56327.
create index idx_log_dttm on log (dttm);
create unique index one_description on variable (description);
create index slow_runs on dag_run ((end_date - start_date));
