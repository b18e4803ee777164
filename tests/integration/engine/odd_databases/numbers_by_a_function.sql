-- A table that an application's function numbers.
create function next_number() returns integer language sql as 'select 1 + coalesce(max(id), 0) from log';
alter table log alter column id set default next_number();
drop sequence log_id_seq;
