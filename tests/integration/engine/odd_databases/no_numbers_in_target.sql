-- A table whose numbers nobody gives any more: a restore lost the default. Public: apache/airflow#26497.
alter table log alter column id drop default;
drop sequence log_id_seq;
