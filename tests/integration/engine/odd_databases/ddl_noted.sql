-- An event trigger that keeps a list of who changed which table, found by the search_path of each session. Public: kind of
-- the example in AWS DMS's documentation of ongoing replication from PostgreSQL (awsdms_intercept_ddl).
create table ddl_log (at timestamptz default now(), tag text);
alter table ddl_log owner to airflow_owner;
create function note_ddl() returns event_trigger language plpgsql as $$ begin insert into ddl_log (tag) values (tg_tag); end $$;
create event trigger note_ddl on ddl_command_end execute function note_ddl();
