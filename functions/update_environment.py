"""UpdateEnvironment: a hop, the upgrade of the target in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from migration import errors
from migration.aws import clients
from migration.environments import environment, overriding, requests, updating
from migration.environments.requests import Files
from migration.exchange import layout
from migration.exchange.locks import require_locks
from migration.exchange.store import of_attempt
from migration.model import Migration
from migration.observability import logger
from migration.state import state


@dataclass(frozen=True, kw_only=True)
class Updated:
    """`updating` is false where the upgrade is done, or under way already."""

    updating: bool


@state
def handler(
    *, execution: str, migration: Migration, phase: str, airflow_version: str, files: dict[str, Any]
) -> Updated:
    """Raises TargetBusy while Amazon MWAA does something else to the target."""
    version = airflow_version
    require_locks(migration, execution)
    source, target = migration["source"], migration["target"]
    store = of_attempt(clients.s3(), migration)
    store.start_phase(phase)
    mwaa = clients.mwaa(target["region"])
    current = environment.get(mwaa, target["environment"])
    origin = environment.get(clients.mwaa(source["region"]), source["environment"])
    if current is None or origin is None:
        gone = target["environment"] if current is None else source["environment"]
        raise errors.EnvironmentUnavailable(f"{gone} does not exist any more. Start the migration again.")
    if current["AirflowVersion"] != version and current["Status"] in environment.BUSY:
        # Nobody has asked for the upgrade yet, and nobody would after this.
        raise errors.TargetBusy(
            f"{target['environment']} is {current['Status']}; Amazon MWAA upgrades it when that is over. Wait until it "
            "is AVAILABLE and start the migration again."
        )
    if current["AirflowVersion"] == version or current["Status"] != "AVAILABLE":
        # PollHop judges the status, whatever it is.
        return Updated(updating=False)
    overrides = migration["overrides"]
    made = requests.hop_request(
        origin,
        current,
        airflow_version=version,
        overrides=overrides,
        files=Files.of(files),
        given=overriding.at_hop(overrides, migration["importVersion"], migration["hops"], version),
    )
    store.write(layout.hop(version), {"notes": made.notes})
    updating.update(
        mwaa,
        made.request,
        made.options,
        change=f"the upgrade from {current['AirflowVersion']} to {version}",
        remedy="options.importVersion must be the latest 2.11 for a hop to 3.x.",
    )
    logger.info("upgrading", extra={"environment": target["environment"], "airflow_version": version})
    return Updated(updating=True)
