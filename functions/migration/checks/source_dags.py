"""What the source itself says of its DAGs before it is exported: which it knows, and which files it cannot import.

The same as the artifact's dags.json, which the export makes later from the database.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypedDict

from migration.airflow import our_dags
from migration.airflow.cli import AirflowCli
from migration.checks import import_errors
from migration.errors import MigrationError
from migration.observability import logger


class KnownDag(TypedDict):
    """`file` is a path below the DAG folder."""

    dag_id: str
    file: str


class SourceDags(TypedDict):
    """`dags` and `broken_files` are None where the source does not say."""

    dags: list[KnownDag] | None
    broken_files: list[str] | None


def ask(cli: AirflowCli, names: Collection[str], airflow_version: str) -> SourceDags:
    """Asks by the CLI. `names` are the objects below the DAG folder, which the target has a copy of."""
    if not cli.lists_dags:
        return SourceDags(dags=None, broken_files=None)
    try:
        told, listed = cli.import_errors(), cli.dags()
    except MigrationError as error:
        # Both commands parse the DAG folder on 2.x and may take longer than a web server waits.
        logger.warning("the source could not be asked", extra={"error_message": str(error)})
        return SourceDags(dags=None, broken_files=None)
    broken = None if told is None else [one.file for one in import_errors.read(told, names, airflow_version)]
    dags = None
    if listed is not None:
        known = [
            (
                str(row["dag_id"]),
                import_errors.below_folder(str(row.get("filepath") or row.get("fileloc") or ""), names),
            )
            for row in listed
        ]
        dags = [KnownDag(dag_id=dag, file=file) for dag, file in known if dag not in our_dags.OURS]
    return SourceDags(dags=dags, broken_files=broken)
