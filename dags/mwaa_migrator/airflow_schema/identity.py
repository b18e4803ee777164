"""What identifies a row in another environment, where it has another surrogate key."""

from __future__ import annotations

from typing import Mapping

from mwaa_migrator.airflow_schema.column_limits import UNIQUE
from mwaa_migrator.airflow_schema.encryption import ciphertext_columns
from mwaa_migrator.postgres.catalog import Column, Table

#: Tables for which the catalog has no unique key that serves, or more than one.
_IDENTITIES: Mapping[str, tuple[str, ...]] = {
    # The table has a second unique key, (dag_id, execution_date); everywhere else a run is known by its run_id.
    "dag_run": ("dag_id", "run_id"),
    # Airflow looks a template up by its text (airflow.utils.db.synchronize_log_template).
    "log_template": ("filename", "elasticsearch_id"),
    # Its number says nothing elsewhere: the target numbers the versions that it makes in the same way.
    "dag_version": ("id",),
}

#: Tables whose rows the target's Airflow makes as well: a row of the same identity is the same row, whatever its time
#: stamps say.
MADE_BY_AIRFLOW_TOO = ("log_template", "dataset", "dataset_alias", "asset", "asset_alias", "dag_bundle")

#: Columns into which a migration of Airflow's puts the time at which it runs, by table, where the source lacks them.
TIMES_OF_MIGRATIONS: Mapping[str, tuple[str, ...]] = {
    "callback": ("created_at",),
    "deadline": ("created_at", "last_updated_at"),
    "deadline_alert": ("created_at",),
}


def identity_columns(table: Table) -> tuple[str, ...]:
    """What identifies a row across environments; empty if only its whole content does."""
    if table.name in _IDENTITIES:
        return _IDENTITIES[table.name]
    # First Airflow's own: a restore can have lost them in the target, and somebody can have added others.
    own = [key for key in UNIQUE.get(table.name, ()) if set(key) <= set(table.column_names)]
    for key in own + table.unique_keys:
        if key != (table.surrogate_key,):
            return key
    return ()


def is_named_by(table: Table, parent: Table) -> bool:
    """Whether a row of ``table`` has the identity of its row in ``parent`` in columns of the same names."""
    identity = identity_columns(parent)
    return bool(identity) and parent.surrogate_key not in identity and set(identity) <= set(table.column_names)


def content_columns(table: Table) -> list[Column]:
    """The columns in which two rows of the same identity may differ, as far as the database can tell."""
    left_out = {*identity_columns(table), *ciphertext_columns(table.name), table.surrogate_key}
    return [column for column in table.columns if column.name not in left_out]
