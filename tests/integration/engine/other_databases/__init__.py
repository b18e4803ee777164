"""Sources in SQLite, MySQL and MariaDB: their artifact is that of a PostgreSQL source with the same rows."""
