-- PostgreSQL 15's hardening: public belongs to the administrator, and the role owns its tables but may not create any.
-- Public: apache/airflow#40532, #29991.
alter schema public owner to postgres;
grant usage on schema public to airflow_owner;
revoke create on schema public from public, airflow_owner;
