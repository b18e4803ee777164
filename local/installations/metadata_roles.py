"""The database roles of Amazon MWAA's metadata databases, and databases that they own.

`adminuser` is what RDS calls a master user: it owns the database and Airflow's tables, and is no superuser. From image
2.9.2 on, Airflow connects as `airflow_user`, which owns nothing and is a member of the owner
(aws/amazon-mwaa-docker-images, mwaa/database/migrate_with_downgrade.py). Neither owns the schema `public`.
"""

from __future__ import annotations

from psycopg2 import sql

from local.installations.postgres import PostgresServer

OWNER = "adminuser"
USER = "airflow_user"

_NAMES = {"owner": sql.Identifier(OWNER), "user": sql.Identifier(USER), "user_s_name": sql.Literal(USER)}
_CREATE_ROLES = sql.SQL(
    """
    DO $$ BEGIN
        PERFORM pg_advisory_xact_lock(hashtext({user_s_name}));
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {user_s_name}) THEN
            CREATE ROLE {owner} LOGIN CREATEDB CREATEROLE;
            CREATE ROLE {user} LOGIN IN ROLE {owner};
        END IF;
    END $$
    """
).format(**_NAMES)


def create_database(server: PostgresServer, name: str) -> None:
    """Makes an empty database that belongs to OWNER, and the roles where they are missing."""
    with server.administration() as cursor:
        cursor.execute(_CREATE_ROLES)
    server.create_database(name, owner=OWNER)
    with server.administration(name) as cursor:
        cursor.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(server.user)))
        cursor.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {owner}, {user}").format(**_NAMES))


def copy_database(server: PostgresServer, template: str, name: str) -> None:
    """Makes a database that belongs to OWNER as a copy of another one, to which nobody may be connected."""
    server.create_database(name, template, OWNER)
