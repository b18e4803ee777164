-- Another application's tables in another schema of the search_path, two of them named as tables that an Airflow had or has
-- but does not export. Public: kind of airflow-helm/charts#429.
create schema shop authorization airflow_owner;
create table shop.orders (id int);
create table shop."user" (id int);
create table shop.session (id int);
grant all on all tables in schema shop to airflow_owner;
alter role airflow_owner in database :database set search_path = public, shop;
