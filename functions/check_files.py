"""CheckFiles: the user's DAGs, requirements and Airflow options against the target's version.

What it finds is in the report, which also says if it fails itself. Before a migration pauses anything, it judges what
CheckTarget and it have found.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migration import errors, phase_names
from migration.airflow import versions
from migration.aws import clients
from migration.checks import (
    check_results,
    dag_code,
    dag_files,
    false_positives,
    gate,
    installation_log,
    linter,
    options,
    requirements,
)
from migration.checks.check_results import Check
from migration.environments import environment, requirements_file
from migration.environments.bucket_writer import COPIERS
from migration.exchange import layout
from migration.exchange.store import Store, of_artifact, of_attempt, of_migration
from migration.model import Migration
from migration.observability import logger
from migration.state import state


@dataclass(frozen=True, kw_only=True)
class Checked:
    """How many checks there are. What each found lies in the exchange bucket."""

    checks: int


@state
def handler(*, migration: Migration) -> Checked:
    store = of_attempt(clients.s3(), migration)
    # Each part as soon as it is there, so that a later one that fails takes nothing away.
    parts = {"dag_code": _dag_code, "requirements": _requirements, "airflow_options": _options}
    made = 0
    try:
        for name, check in parts.items():
            found = check(migration, store)
            check_results.write(store, name, found)
            made += len(found)
    finally:
        # Also where a part failed: what the others have found may be reason enough to stop.
        gate.enforce(store, of_artifact(clients.s3(), migration), migration)
    return Checked(checks=made)


def _dag_code(migration: Migration, _: Store) -> list[Check]:
    target = migration["target"]
    version = target["airflowVersion"]
    with tempfile.TemporaryDirectory() as folder:
        s3 = clients.s3(target["region"], COPIERS)
        files = dag_files.fetch(s3, target["bucket"], target["dagsPath"], Path(folder))
        found = linter.lint(files.folder, versions.python_of(version), dag_code.RULES)
        violations = false_positives.certain(files.folder, found)
    logger.info("linted", extra={"files": len(files.files), "violations": len(violations)})
    return dag_code.check(files, violations, version)


def _requirements(migration: Migration, store: Store) -> list[Check]:
    target = migration["target"]
    found = _found(migration, "target")
    key = found.get("RequirementsS3Path")
    if not key:
        return [requirements.none()]
    text = requirements_file.text_of(found, target["bucket"], clients.s3(target["region"]))
    try:
        old = migration["source"]
        source = requirements_file.text_of(_found(migration, "source"), old["bucket"], clients.s3(old["region"]))
    except (errors.ResourceMissing, errors.EnvironmentUnavailable):
        # Then every contradiction counts as new.
        source = ""
    file = requirements.check(text, target["airflowVersion"], key, source)
    return [file, installation_log.check(clients.logs(target["region"]), found, _installed_since(migration, store))]


def _installed_since(migration: Migration, store: Store) -> str | None:
    """When the target began to be what it is. Of attempts that find it as it was, the one that made it knows."""
    made = of_migration(clients.s3(), migration).read(layout.TARGET) or {}
    hops = [phase["started"] for phase in store.phases() if phase["name"].startswith(phase_names.HOP)]
    return max([*hops, *made.values()], default=None)


def _options(migration: Migration, _: Store) -> list[Check]:
    source, target = (_found(migration, side).get("AirflowConfigurationOptions", {}) for side in ("source", "target"))
    return [options.check(source, target, migration["target"]["airflowVersion"])]


def _found(migration: Migration, side: str) -> dict[str, Any]:
    """GetEnvironment's answer. Raises EnvironmentUnavailable."""
    named = migration["source"] if side == "source" else migration["target"]
    found = environment.get(clients.mwaa(named["region"]), named["environment"])
    if found is None:
        raise errors.EnvironmentUnavailable(
            f"The {side} {named['environment']} does not exist any more, so its settings cannot be checked."
        )
    return found
