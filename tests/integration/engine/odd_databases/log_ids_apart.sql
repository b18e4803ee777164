-- More events than an integer counts, of which the first and the last are still there. Public: apache/airflow#45671
-- (ids of sessions beyond it).
alter table log alter column id type bigint;
update log set id = 3000000000 where id = (select max(id) from log);
