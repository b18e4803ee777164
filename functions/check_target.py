"""CheckTarget: asks a rehearsal's target what of the user's DAGs it imports, has parsed and runs; called until ready.

A rehearsal that went well does not fail because its target cannot be asked: the report says what was not checked.
"""

from __future__ import annotations

from typing import Any

from migration import clients, environment, ignored_files, runs, staging, target_checks, versions, waiting
from migration.locks import require_locks
from migration.observability import logger, state
from migration.planning import Migration
from migration.store import of_artifact, of_attempt
from migration.target_checks import Target


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"migration", "waitedSeconds"}` -> `{"ready", "waitSeconds", "waitedSeconds"}`. What is found lies in S3."""
    migration, waited = event["migration"], event["waitedSeconds"]
    require_locks(migration, event["execution"])
    store, artifact = of_attempt(clients.s3(), migration), of_artifact(clients.s3(), migration)
    progress = target_checks.begin(store, artifact, migration)
    if not target_checks.is_done(progress):
        target = _target(migration)
        if target is None:
            target_checks.give_up(progress, store, "The target is not AVAILABLE.")
        elif not target_checks.look(progress, target, store, artifact, migration, waited):
            return waiting.again(event, migration["options"]["pollSeconds"])
    logger.info("checked", extra={"results": {name: check["result"] for name, check in progress["checks"].items()}})
    return waiting.ready(event)


def _target(migration: Migration) -> Target | None:
    """The target as it is now; None where it is not AVAILABLE."""
    side = migration["target"]
    found = environment.get(clients.mwaa(side["region"]), side["environment"])
    if found is None or found["Status"] != "AVAILABLE":
        return None
    s3 = clients.s3(side["region"])
    names = staging.names(s3, side["bucket"], side["dagsPath"])

    def read(name: str) -> str:
        key = f"{staging.folder(side['dagsPath'])}{name}"
        return s3.get_object(Bucket=side["bucket"], Key=key)["Body"].read().decode("utf-8", "replace")

    version = found["AirflowVersion"]
    # The default of core.dag_ignore_file_syntax was changed in 3.0.
    default = "glob" if versions.parse(version).major >= 3 else "regexp"
    syntax = found.get("AirflowConfigurationOptions", {}).get("core.dag_ignore_file_syntax", default)
    ignored_by = ignored_files.finder(names, read, glob=syntax == "glob")
    return Target(runs.final_cli(migration, version), version, names, ignored_by)
