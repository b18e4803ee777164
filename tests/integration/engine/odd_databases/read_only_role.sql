-- A guard that an operator, or a hoster when the disk is full, has set. Public: Microsoft's documentation of Azure
-- Database for PostgreSQL (a server near the end of its storage).
alter role airflow_owner in database :database set default_transaction_read_only = on;
