"""Whether the database of this Airflow can take an import."""

from __future__ import annotations

from mwaa_migrator.airflow_schema.primary_keys import require_primary_keys
from mwaa_migrator.airflow_schema.tables import reason_not_exported
from mwaa_migrator.errors import SourceBelowMigrations, TargetNotAtHead, TargetOlderThanSource
from mwaa_migrator.postgres.read_tables import read_tables
from mwaa_migrator.scratch.trial import try_scratch_schema
from mwaa_migrator.this_airflow.database import MetadataDatabase
from mwaa_migrator.this_airflow.migrations import head_revision, known_revisions, tables_in_migrations
from mwaa_migrator.this_airflow.release import version_tuple


def check_target(target: MetadataDatabase, source_version: str, source_revision: str) -> None:
    """Raises TargetOlderThanSource, TargetNotAtHead, SourceBelowMigrations, PrimaryKeyMissing, or what trying raises.

    AirflowNotSupported if this Airflow has no single head. Nothing is written (``try_scratch_schema``).
    """
    if version_tuple(target.airflow_version) < version_tuple(source_version):
        message = "The source is Airflow {0} and the target {1}: rows cannot go back. Import into {0} or newer."
        raise TargetOlderThanSource(message.format(source_version, target.airflow_version))
    head = head_revision()
    if target.revision != head:
        message = "The target's database is at revision {}, and its Airflow {} is at {}. Run airflow db migrate first."
        raise TargetNotAtHead(message.format(target.revision, target.airflow_version, head))
    if source_revision not in known_revisions():
        message = (
            "Airflow {}'s own migrations do not know the source's revision {} (Airflow {}). Migrate it through 2.11: "
            "import it into Airflow 2.11, and upgrade that."
        )
        raise SourceBelowMigrations(message.format(target.airflow_version, source_revision, source_version))
    tables = read_tables(target.connection, target.schema)
    target.connection.rollback()
    airflows = tables_in_migrations()
    require_primary_keys(
        target.schema,
        [table for name, table in tables.items() if name in airflows and reason_not_exported(name) is None],
    )
    try_scratch_schema(target.connection)
