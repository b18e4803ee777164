-- Two containers that upgraded at once. Public: apache/airflow#6442, sqlalchemy/alembic#103.
insert into alembic_version values ('1986afd32c1b');
