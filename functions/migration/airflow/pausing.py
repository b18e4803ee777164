"""Pauses and unpauses many DAGs through a CLI that takes seconds for each command."""

from __future__ import annotations

import time
from collections.abc import Callable

from migration.airflow.cli import AirflowCli
from migration.errors import CutOverFailed, MigrationError, SourceActive
from migration.observability import logger

# Of a function's 15 minutes; the state machine calls again for the rest.
SECONDS = 600.0
# A command line of at most about 25,000 characters with ids of 250.
BATCH = 100


def set_paused(
    cli: AirflowCli,
    dag_ids: list[str],
    *,
    paused: bool,
    done: int,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Pauses or unpauses `dag_ids[done:]` for at most about `seconds`; returns the new `done`.

    Airflow before 2.10 takes one DAG a command. Doing it twice is harmless. Raises CutOverFailed.
    """
    size = BATCH if cli.unpauses_many else 1
    started = clock()
    while done < len(dag_ids) and clock() - started < seconds:
        batch = dag_ids[done : done + size]
        answer = cli.set_paused(batch, paused)
        if not answer.succeeded:
            word = "paused" if paused else "unpaused"
            raise CutOverFailed(
                f"{len(batch)} DAGs from {batch[0]!r} on could not be {word} in the target: {answer.last_words()}. "
                "Look at the web server's log group."
            )
        done += len(batch)
    return done


def require_paused(cli: AirflowCli, environment: str, dag_ids: list[str]) -> bool:
    """Raises SourceActive if a DAG is active. Returns whether all are known to be paused.

    1.10's CLI does not say it, and later ones parse the DAG folder first, which can take a web server too long.
    """
    try:
        listed = cli.dags()
    except MigrationError as error:
        logger.warning("whether the source is paused was not seen", extra={"error_message": str(error)})
        return False
    states = {dag["dag_id"]: dag.get("is_paused", dag.get("paused")) for dag in listed or []}
    active = [dag_id for dag_id in dag_ids if str(states.get(dag_id)) == "False"]
    if active:
        raise SourceActive(
            f"{len(active)} DAGs of {environment} are active again, {active[0]!r} among them: what they have run since "
            "the export is not in the target. Find out who unpaused them, and start the migration again."
        )
    return all(str(states.get(dag_id)) == "True" for dag_id in dag_ids)
