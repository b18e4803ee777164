"""The rows of our own DAGs in the environments' metadata databases, which nobody needs after a migration.

Airflow's own command deletes them. What it keeps is the audit log (`log`), in which they stay, as any other DAG's.

It must not run too early. The process that watches over a task (LocalTaskJob) writes its row of `job` once more when
it ends, and would put back one that is deleted; with no DAG of that name left, no command deletes it any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from migration.airflow import our_dags, runs
from migration.airflow.cli import AirflowCli
from migration.aws import clients
from migration.environments import environment
from migration.errors import CommandFailed, MigrationError
from migration.model import Migration, Side
from migration.observability import logger

DAGS = our_dags.DAGS

# How long after its task a LocalTaskJob may end: it notices the end at a heartbeat, and what is left of the task's
# process has `killed_task_cleanup_time` to end before it is killed (airflow.utils.process_utils.reap_process_group).
_HEARTBEAT = ("scheduler.job_heartbeat_sec", 5.0)
_CLEANUP_TIME = ("core.killed_task_cleanup_time", 60.0)
_MARGIN = 5.0


def delete(migration: Migration, side: Side, waited: float) -> bool:
    """Deletes our DAGs' rows in an environment. Returns True if it had none, or cannot be asked at all.

    `waited`: seconds since our DAGs' files and their access to the artifact were taken away. After False the caller
    tries again, because a scheduler may still be about to write rows.
    """
    current = environment.get(clients.mwaa(side["region"]), side["environment"])
    if current is None or current["Status"] != "AVAILABLE":
        return True
    cli = runs.cli_of(side, current["AirflowVersion"])
    patience = seconds_of_jobs(current.get("AirflowConfigurationOptions", {}))
    ours = [dag for dag in DAGS if runs.side_of(migration, dag) == side]
    try:
        of_ours = [run for run in runs.all_of(migration) if runs.dag_of(run) in ours]
        if any(_may_write(cli, migration, run, waited, patience) for run in of_ours):
            return False
        known = [dag for dag in DAGS if cli.delete_dag(dag)]
    except MigrationError as error:
        # A web server that does not answer must not fail a migration that is done.
        logger.warning("our DAGs' rows could not be looked for", extra={"error_message": str(error)})
        return False
    return not known


def seconds_of_jobs(options: Mapping[str, str]) -> float:
    """How long after a task's end its LocalTaskJob may still write, with an environment's Airflow options."""
    return _MARGIN + sum(_seconds(options.get(name), default) for name, default in (_HEARTBEAT, _CLEANUP_TIME))


def _seconds(value: str | None, default: float) -> float:
    try:
        return float(value) if value is not None else default
    except ValueError:
        return default


def _may_write(cli: AirflowCli, migration: Migration, run: str, waited: float, patience: float) -> bool:
    """Whether a task of our run still runs, or its LocalTaskJob may not have ended."""
    if not cli.lists_tasks:
        return waited < patience
    try:
        tasks = cli.tasks(runs.dag_of(run), runs.run_id(migration, run), runs.date_of(migration, run))
    except CommandFailed:
        # There is no such run.
        return False
    if any(task.get("start_date") and not task.get("end_date") for task in tasks):
        return True
    ends = [datetime.fromisoformat(task["end_date"]) for task in tasks if task.get("end_date")]
    return any((datetime.now(UTC) - end).total_seconds() < patience for end in ends)
