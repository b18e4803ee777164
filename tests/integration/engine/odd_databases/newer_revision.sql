-- The image was rolled back to an older release, and the database was not. Public: apache/airflow#32481.
update alembic_version set version_num = 'ffffffffffff';
