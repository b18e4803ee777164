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

_CREATE_ROLES = f"""
    DO $$ BEGIN
        PERFORM pg_advisory_xact_lock(hashtext('{OWNER}'));
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{USER}') THEN
            CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE;
            CREATE ROLE {USER} LOGIN IN ROLE {OWNER};
        END IF;
    END $$
"""


def create_database(server: PostgresServer, name: str) -> None:
    """Makes an empty database that belongs to OWNER, and the roles where they are missing."""
    with server.administration() as cursor:
        cursor.execute(_CREATE_ROLES)
    server.create_database(name, owner=OWNER)
    with server.administration(name) as cursor:
        cursor.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(server.user)))
        cursor.execute(f"GRANT ALL ON SCHEMA public TO {OWNER}, {USER}")


def copy_database(server: PostgresServer, template: str, name: str) -> None:
    """Makes a database that belongs to OWNER as a copy of another one, to which nobody may be connected."""
    server.create_database(name, template, OWNER)
