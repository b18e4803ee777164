-- Settings of the role and of the database that end what takes long, or change what a statement says. Public:
-- PostgreSQL's documentation of ALTER ROLE ... SET, which asks for time-outs there and not for a whole server;
-- sqlalchemy/sqlalchemy's PGDialect, which looks at standard_conforming_strings, so that Airflow works with either.
alter role airflow_owner in database :database set lock_timeout = '20ms';
alter role airflow_owner in database :database set idle_in_transaction_session_timeout = '1s';
alter role airflow_owner in database :database set transaction_timeout = '1s';
alter database :database set statement_timeout = '50ms';
alter role airflow_owner in database :database set default_transaction_isolation = 'serializable';
alter role airflow_owner in database :database set standard_conforming_strings = off;
alter role airflow_owner in database :database set quote_all_identifiers = on;
alter role airflow_owner in database :database set transform_null_equals = on;
