-- A target whose tables are all in the schema of SQL_ALCHEMY_SCHEMA, first on the search_path. Public: apache/airflow#40532.
create schema airflow authorization airflow_owner;
do $$ declare r record; begin
  for r in select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' loop
    execute format('alter table public.%I set schema airflow', r.relname); end loop; end $$;
alter role airflow_owner in database :database set search_path = airflow, public;
