-- An upgrade that broke between deleting the revision and inserting the next. Public: apache/superset#9898.
delete from alembic_version;
