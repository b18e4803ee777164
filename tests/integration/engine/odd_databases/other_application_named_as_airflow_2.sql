-- Another application's tables in another schema of the search_path, named as tables that Airflow 3 has no more.
create schema shop authorization airflow_owner;
create table shop.dataset (id int);
create table shop.task_fail (id int);
grant all on all tables in schema shop to airflow_owner;
alter role airflow_owner in database :database set search_path = public, shop;
