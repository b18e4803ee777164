-- An application's tables in Airflow's schema; "event" is a word in Airflow's migrations, a column's name.
-- Public: kind of airflow-helm/charts#429.
create type event_kind as enum ('click', 'view');
create table page (id serial primary key);
create table event (id serial primary key, kind event_kind, page_id int references page, run_id int references dag_run);
create view latest_runs as select dag_id, max(execution_date) from dag_run group by dag_id;
