-- log as a partitioned table, which people make of it when it has grown. Public: kind of apache/airflow#27998 (a database that
-- somebody had changed).
alter table log rename to log_unpartitioned;
alter table log_unpartitioned rename constraint log_pkey to log_unpartitioned_pkey;
create table log (like log_unpartitioned including defaults) partition by range (dttm);
alter table log add constraint log_pkey primary key (id, dttm);
create table log_old partition of log for values from (minvalue) to ('2020-01-01');
create table log_new partition of log for values from ('2020-01-01') to (maxvalue);
insert into log select * from log_unpartitioned;
alter sequence log_id_seq owned by none;
drop table log_unpartitioned;
alter table log owner to airflow_owner;
alter sequence log_id_seq owner to airflow_owner;
alter sequence log_id_seq owned by log.id;
alter table log_old owner to airflow_owner;
alter table log_new owner to airflow_owner;
