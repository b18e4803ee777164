-- Old events in a table that inherits from log: queries of log see them. Public: kind of partitioning before PostgreSQL 10.
create table log_archive () inherits (log);
insert into log_archive (id, dttm, event) values (1000, '2019-01-01', 'old');
alter table log_archive owner to airflow_owner;
