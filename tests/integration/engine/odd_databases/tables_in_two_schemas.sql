-- Airflow's tables as SQL_ALCHEMY_SCHEMA leaves them: Alembic follows the search_path, the models the option.
-- Public: apache/airflow#27348, #17374.
create schema airflow authorization airflow_owner;
do $$ declare r record; begin
  for r in select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'alembic_version' loop
    execute format('alter table public.%I set schema airflow', r.relname); end loop; end $$;
