"""The rows of our own DAGs in the environments' metadata databases, which nobody needs after a migration.

Airflow's own command deletes them. What it keeps is the audit log (`log`), in which they stay, as any other DAG's.
"""

from __future__ import annotations

from . import clients, environment, runs
from .errors import MigrationError
from .observability import logger
from .planning import Side

DAGS = runs.DAGS


def are_gone(side: Side) -> bool:
    """Deletes the rows that an environment has of our DAGs. True: it had none, or it cannot be asked at all.

    Deleting and asking once more is the caller's: a scheduler may still be about to write them.
    """
    current = environment.get(clients.mwaa(side["region"]), side["environment"])
    if current is None or current["Status"] != "AVAILABLE":
        return True
    cli = runs.cli_of(side, current["AirflowVersion"])
    try:
        known = [dag for dag in DAGS if cli.delete_dag(dag)]
    except MigrationError as error:
        # A web server that does not answer must not fail a migration that is done.
        logger.warning("our DAGs' rows could not be looked for", extra={"error_message": str(error)})
        return False
    return not known
