-- Tables whose numbers come from elsewhere than a sequence of their own: from none, from another table's, from another
-- schema, or by a default of before PostgreSQL 8.1. Public: apache/airflow#26497, dimitri/pgloader#1691, #1180.
alter table log alter column id drop default;
drop sequence log_id_seq;
alter sequence job_id_seq owned by none;
alter table connection alter column id set default nextval('job_id_seq');
create schema app authorization airflow_owner;
create sequence app.run_numbers;
alter sequence app.run_numbers owner to airflow_owner;
select setval('app.run_numbers', greatest((select max(id) from dag_run), 1));
alter table dag_run alter column id set default nextval('app.run_numbers');
drop sequence dag_run_id_seq;
alter sequence variable_id_seq owned by none;
alter table variable alter column id set default nextval('variable_id_seq'::text);
