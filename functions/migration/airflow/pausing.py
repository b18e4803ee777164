"""Pauses and unpauses many DAGs through a CLI that takes seconds for each command."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from migration.airflow.cli import AirflowCli, pattern_of
from migration.errors import CliAnswerInvalid, CliRefused, CutOverFailed, MigrationError, SourceActive, TransientError
from migration.observability import logger
from migration.wording import counted

# Of a function's 15 minutes; the state machine calls again for the rest.
SECONDS = 600.0
# The most DAGs of one command, and the most bytes of the expression that names them: what stands before a web server
# may refuse longer lines.
_MOST_DAGS = 100
MOST_BYTES = 8_000
# A command starts Airflow in the web server.
SECONDS_A_COMMAND = 5


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

    Airflow before 2.10 takes one DAG a command, and so does any other where an expression for many is refused. Doing
    it twice is harmless. Raises CutOverFailed.
    """
    together = cli.unpauses_many
    started = clock()
    while done < len(dag_ids) and clock() - started < seconds:
        batch = _batch(dag_ids[done : done + _MOST_DAGS]) if together else [dag_ids[done]]
        refusal = _send(cli, batch, paused, together)
        if refusal is not None and together:
            logger.warning("one DAG a command from here on", extra={"dags": len(batch), "refusal": refusal})
            together = False
            continue
        if refusal is not None:
            word = "paused" if paused else "unpaused"
            raise CutOverFailed(
                f"{counted(len(batch), 'DAG')} from {batch[0]!r} on could not be {word} in the target: {refusal}. "
                "Look at the web server's log group."
            )
        done += len(batch)
    return done


def _batch(dag_ids: list[str]) -> list[str]:
    """As many from the first on as one command may name, and at least one."""
    size = len(dag_ids)
    while size > 1 and len(pattern_of(dag_ids[:size]).encode()) > MOST_BYTES:
        size -= 1
    return dag_ids[:size]


def _send(cli: AirflowCli, batch: list[str], paused: bool, together: bool) -> str | None:
    """Pauses or unpauses a batch. Returns what was said against the command; None where it has succeeded."""
    try:
        answer = cli.set_paused(batch, paused) if together else cli.set_one_paused(batch[0], paused)
    except (CliAnswerInvalid, CliRefused, TransientError) as error:
        # What stands before a web server can refuse the line itself, with a 502 too; for one DAG it is a failure of its
        # own.
        if not together:
            raise
        return str(error)
    return None if answer.succeeded else answer.last_words() or "no output"


def duration_note(airflow_version: str, dags: int | None) -> str:
    """What a plan says about the cut-over to a version that takes one DAG a command. `dags`: None if unknown.

    That is the fall-back, where our run cannot unpause them all at once (`cut_over_run`).
    """
    each = (
        "If the target's DAGs cannot be unpaused in its database, commands have to do it. "
        f"Airflow {airflow_version} unpauses one DAG a command, which takes some {SECONDS_A_COMMAND} seconds"
    )
    if dags is None:
        return f"{each}: each active DAG adds that much to the cut-over."
    minutes = -(-dags * SECONDS_A_COMMAND // 60)
    return (
        f"{each}: if all of the source's {counted(dags, 'DAG')} are active, the cut-over takes "
        f"{counted(minutes, 'minute')}."
    )


def require_paused(cli: AirflowCli, environment: str, dag_ids: list[str]) -> bool:
    """Raises SourceActive if a DAG is active. Returns whether all are known to be paused.

    1.10's CLI does not say it, and later ones parse the DAG folder first, which can take a web server too long.
    """
    try:
        listed = cli.dags()
    except MigrationError as error:
        logger.warning("could not see whether the source is paused", extra={"error_message": str(error)})
        return False
    states = _states(listed or [])
    active = [dag_id for dag_id in dag_ids if states.get(dag_id) == "False"]
    if active:
        raise SourceActive(
            f"{environment} has {counted(len(active), 'DAG')} active again, {active[0]!r} among them: what ran there "
            "since the export is not in the target. Find out who unpaused them, and start the migration again."
        )
    return all(states.get(dag_id) == "True" for dag_id in dag_ids)


def active(listed: list[dict[str, Any]]) -> set[str]:
    """The ids of the DAGs that are active, of those that the CLI lists."""
    return {dag_id for dag_id, state in _states(listed).items() if state == "False"}


def _states(listed: list[dict[str, Any]]) -> dict[str, str]:
    """Whether each DAG is paused: "True", "False", or anything else where its Airflow does not say."""
    return {dag["dag_id"]: str(dag.get("is_paused", dag.get("paused"))) for dag in listed}
