"""CheckParsed: whether both environments have parsed our DAGs."""

from __future__ import annotations

from dataclasses import dataclass

from migration import errors, phase_names, waiting
from migration.airflow import our_dags, runs
from migration.aws import clients
from migration.exchange.store import of_attempt
from migration.model import Migration
from migration.observability import logger
from migration.state import state
from migration.waiting import Progress

# In which environment which of our DAGs will run.
_TO_MIGRATE = (("source", our_dags.EXPORT), ("source", our_dags.RESUME), ("target", our_dags.IMPORT))
_TO_ROLL_BACK = (("source", our_dags.RESUME),)


@dataclass(frozen=True, kw_only=True)
class ParsingProgress(Progress):
    """`missing` has the DAGs of ours that are not parsed yet, each with its side."""

    missing: list[str]


@state
def handler(*, migration: Migration, waited_seconds: int) -> ParsingProgress:
    needed = _TO_ROLL_BACK if migration["rollBack"] else _TO_MIGRATE
    missing = [f"{side}: {dag}" for side, dag in needed if not runs.cli(migration, dag).find_or_unpause(dag)]
    if not missing:
        of_attempt(clients.s3(), migration).end_phase(phase_names.STAGE_RESOURCES)
        return ParsingProgress(**vars(waiting.ready(waited_seconds)), missing=[])
    logger.info("not parsed yet", extra={"missing": missing})
    limit = migration["options"]["parseTimeoutSeconds"]
    progress = waiting.not_ready(
        waited_seconds,
        seconds=migration["options"]["pollSeconds"],
        limit=limit,
        timed_out=lambda: errors.DagsNotParsed(
            f"After {limit} s these DAGs of the migration are not known: {', '.join(missing)}. Look at the import "
            "errors of the environment, its scheduler's log group, and whether its role may read the DAG folder."
        ),
    )
    return ParsingProgress(**vars(progress), missing=missing)
