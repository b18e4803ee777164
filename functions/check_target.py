"""CheckTarget: asks the target what of the user's DAGs it imports, has parsed and runs; called until ready.

Nothing fails because a target cannot be asked: the report says what was not checked.
"""

from __future__ import annotations

from migration import waiting
from migration.airflow import runs, versions
from migration.aws import clients
from migration.checks import airflowignore, asking_target, source_dags
from migration.checks.asking_target import Target
from migration.environments import dag_folder, environment, s3_objects
from migration.exchange.locks import require_locks
from migration.exchange.store import of_artifact, of_attempt
from migration.model import Migration
from migration.observability import logger
from migration.state import state
from migration.waiting import Progress


@state
def handler(*, execution: str, migration: Migration, waited_seconds: int) -> Progress:
    require_locks(migration, execution)
    store, artifact = of_attempt(clients.s3(), migration), of_artifact(clients.s3(), migration)
    progress = asking_target.begin(store, artifact, migration)
    if not asking_target.is_done(progress):
        target = _target(migration)
        if target is None:
            asking_target.give_up(progress, store, "The target is not AVAILABLE.")
        elif not asking_target.look(
            progress, target, store, source_dags.read(artifact, migration), migration, waited_seconds
        ):
            return waiting.again(waited_seconds, migration["options"]["pollSeconds"])
    logger.info("checked", extra={"results": {name: check["result"] for name, check in progress["checks"].items()}})
    return waiting.ready(waited_seconds)


def _target(migration: Migration) -> Target | None:
    """The target as it is now; None where it is not AVAILABLE."""
    side = migration["target"]
    found = environment.get(clients.mwaa(side["region"]), side["environment"])
    if found is None or found["Status"] != "AVAILABLE":
        return None
    s3 = clients.s3(side["region"])
    names = dag_folder.names(s3, side["bucket"], side["dagsPath"])

    def read(name: str) -> str:
        key = f"{s3_objects.folder(side['dagsPath'])}{name}"
        return s3.get_object(Bucket=side["bucket"], Key=key)["Body"].read().decode("utf-8", "replace")

    version = found["AirflowVersion"]
    # The default of core.dag_ignore_file_syntax was changed in 3.0.
    default = "glob" if versions.parse(version).major >= 3 else "regexp"
    syntax = found.get("AirflowConfigurationOptions", {}).get("core.dag_ignore_file_syntax", default)
    ignored_by = airflowignore.finder(names, read, glob=syntax == "glob")
    return Target(runs.final_cli(migration, version), version, names, read, ignored_by)
