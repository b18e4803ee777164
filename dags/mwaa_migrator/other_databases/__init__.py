"""Reads a metadata database in SQLite, MySQL or MariaDB, and leaves the artifact that a PostgreSQL source would."""
