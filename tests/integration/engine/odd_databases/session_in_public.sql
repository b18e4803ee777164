-- The web server's sessions follow the search_path, too.
alter table airflow.session set schema public;
