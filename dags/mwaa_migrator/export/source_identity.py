"""Which database an export was taken of, so that a delta is taken of the same one, at a later time."""

from __future__ import annotations

from typing import Any, Dict

from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.errors import NewBaseNeeded
from mwaa_migrator.export.plan import ExportPlan
from mwaa_migrator.postgres.session import fetch_all, fetch_value


def read_identity(connection: Any) -> Dict[str, Any]:
    """What the connection's snapshot is of: ``{"system_identifier", "database", "next_transaction"}``.

    Both numbers that can exceed JSON's are text. The system identifier is None where the user may not read it.
    """
    ((database, next_transaction, may_read),) = fetch_all(
        connection,
        "select oid::text, txid_snapshot_xmax(txid_current_snapshot())::text, "
        "has_function_privilege('pg_control_system()', 'execute') "
        "from pg_catalog.pg_database where datname = current_database()",
    )
    system = fetch_value(connection, "select system_identifier::text from pg_control_system()") if may_read else None
    return {"system_identifier": system, "database": database, "next_transaction": next_transaction}


def require_same_source(plan: ExportPlan, base: Artifact) -> None:
    """Raises NewBaseNeeded unless this is the database that the base was taken of, later and with the same tables.

    A database that was restored from a snapshot has the same identifier, and transaction numbers from before the base.
    """
    now, then = read_identity(plan.source.connection), base.manifest["source_identity"]
    if any(now[name] != then[name] for name in ("system_identifier", "database")):
        raise _needed(base, "it was taken of another database")
    if int(now["next_transaction"]) < int(then["next_transaction"]):
        raise _needed(
            base,
            "it was taken when the database had reached transaction {}, and it is at {} now: the database was restored "
            "to an earlier state".format(then["next_transaction"], now["next_transaction"]),
        )
    if plan.source.revision != base.manifest["revision"]:
        raise _needed(base, "Airflow's schema has been migrated since")
    columns = {name: list(table.column_names) for name, table in plan.tables.items()}
    of_base = {name: entry["columns"] for name, entry in base.tables.items()}
    changed = sorted(name for name in {*columns, *of_base} if columns.get(name) != of_base.get(name))
    if changed:
        raise _needed(base, "these tables have other columns than then: {}".format(", ".join(changed)))


def _needed(base: Artifact, reason: str) -> NewBaseNeeded:
    message = "No delta can follow {}: {}. Take a new base (export --as-base) and import it into a new target."
    return NewBaseNeeded(message.format(base.id, reason))
