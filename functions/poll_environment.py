"""PollTarget, PollHop: whether the target is ready, still being worked on, or has failed.

After a hop it also judges whether the target could install its requirements at the new version. Nothing else does
before the cut-over, and Amazon MWAA calls an environment AVAILABLE that runs without any of them. After the last one it
puts our DAGs back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from migration import errors, phase_names, waiting
from migration.airflow import versions
from migration.aws import clients
from migration.checks import check_results, gate, installation_log
from migration.environments import dag_folder, environment
from migration.environments.bucket_writer import COPIERS, BucketWriter
from migration.exchange import layout
from migration.exchange.store import Store, of_attempt
from migration.model import Migration
from migration.state import state
from migration.waiting import Progress

_FAILED = {
    "CREATE_FAILED": errors.CreateEnvironmentFailed,
    "UPDATE_FAILED": errors.UpdateEnvironmentFailed,
    "DELETED": errors.EnvironmentUnavailable,
    "DELETING": errors.EnvironmentUnavailable,
    "UNAVAILABLE": errors.EnvironmentUnavailable,
}


@dataclass(frozen=True, kw_only=True)
class EnvironmentProgress(Progress):
    """`status` is the environment's."""

    status: str


@state
def handler(*, migration: Migration, phase: str, airflow_version: str, waited_seconds: int) -> EnvironmentProgress:
    target, options = migration["target"], migration["options"]
    found = environment.get(clients.mwaa(target["region"]), target["environment"])
    status = judge(found, target["environment"], airflow_version)
    if status == "AVAILABLE":
        store = of_attempt(clients.s3(), migration)
        if phase == phase_names.hop_to(airflow_version):
            _judge_installation(migration, found or {}, store, airflow_version)
            if migration["mode"] == "migrate" and airflow_version == target["airflowVersion"]:
                # The hop took them out. The run that cuts over is of one of them, and parsing it takes minutes.
                writer = BucketWriter.of(clients.s3(target["region"], COPIERS), target["bucket"])
                dag_folder.put_our_dags(writer, target["dagsPath"])
        store.end_phase(phase)
        return EnvironmentProgress(**vars(waiting.ready(waited_seconds)), status=status)
    progress = waiting.not_ready(
        waited_seconds,
        # Half as often as DAG runs: an environment takes 20 minutes and more.
        seconds=2 * options["pollSeconds"],
        limit=options["environmentTimeoutSeconds"],
        timed_out=lambda: errors.EnvironmentTimedOut(
            f"{target['environment']} is still {status} after {options['environmentTimeoutSeconds']} s. Look at it in "
            "the Amazon MWAA console; options.environmentTimeoutSeconds gives it longer."
        ),
    )
    return EnvironmentProgress(**vars(progress), status=status)


def _judge_installation(migration: Migration, found: dict[str, Any], store: Store, airflow_version: str) -> None:
    """Raises ChecksFailed. A rehearsal's checks come later, and stop nothing."""
    if migration["mode"] != "migrate" or not found.get("RequirementsS3Path"):
        return
    hop = store.read(layout.phase(phase_names.hop_to(airflow_version))) or {}
    check = installation_log.check(clients.logs(migration["target"]["region"]), found, hop.get("started"))
    check["name"] = f"{installation_log.NAME}, Airflow {airflow_version}"
    check_results.write(store, "hop", [check])
    if migration["options"]["checks"] == "enforce":
        gate.require_after_hop(check, airflow_version)


def judge(found: dict[str, Any] | None, name: str, airflow_version: str) -> str:
    """The environment's status, or the error that it stands for.

    `AVAILABLE` means at `airflow_version` or, in a migration that goes on, past it: an upgrade that Amazon MWAA rolled
    back ends AVAILABLE too.
    """
    if found is None:
        raise errors.EnvironmentUnavailable(f"{name} does not exist any more. Start the migration again.")
    status: str = found["Status"]
    update = found.get("LastUpdate", {})
    error = update.get("Error", {})
    reason = (
        f"{error.get('ErrorCode', '')}: {error.get('ErrorMessage', '')}" if error else "Amazon MWAA gives no reason"
    )
    if status in _FAILED:
        raise _FAILED[status](
            f"{name} is {status} ({reason}). Correct what it names (target.overrides, network, role, requirements), "
            "delete the environment and start again."
        )
    if status == "AVAILABLE" and versions.parse(found["AirflowVersion"]) < versions.parse(airflow_version):
        if update.get("Status") == "FAILED":
            raise errors.UpdateEnvironmentFailed(
                f"{name} stayed at Airflow {found['AirflowVersion']} instead of {airflow_version} ({reason}). Correct "
                "what it names and start again."
            )
        return "UPDATING"
    return status
