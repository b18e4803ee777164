"""StageSettings, StageDags, StageHop, StageRollBack: copies what the target is made of, puts our DAGs."""

from __future__ import annotations

from typing import Any

from migration import clients, environment, requirements_file, staging, versions
from migration.environment import Files
from migration.locks import require_locks
from migration.observability import logger, state
from migration.planning import Migration
from migration.store import Store, of_attempt


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"migration", "resources": "settings" | "dags" | "ours", "airflowVersion"}`.

    settings -> `{"files"}`: keys and pinned versions for CreateEnvironment or UpdateEnvironment at that version.
    dags -> `{"objects", "ours"}`: how many objects of the user's and of ours are in place.
    ours -> the same: ours only, and only in the source.
    """
    migration = event["migration"]
    require_locks(migration, event["execution"])
    store = of_attempt(clients.s3(), migration)
    if event["resources"] == "dags":
        return _stage_dags(migration, store)
    if event["resources"] == "ours":
        source = migration["source"]
        s3 = clients.s3(source["region"], staging.COPIERS)
        return {"objects": 0, "ours": staging.put_our_dags(s3, source["bucket"], source["dagsPath"])}
    return _stage_settings(migration, store, event["airflowVersion"])


def _stage_settings(migration: Migration, store: Store, airflow_version: str) -> dict[str, Any]:
    staged = store.read(f"staged/{airflow_version}.json")
    if staged is None:
        files, notes = _copy_settings(migration, airflow_version)
        staged = {"files": files._asdict(), "notes": notes}
        store.write(f"staged/{airflow_version}.json", staged)
    target = migration["target"]
    if versions.parse(airflow_version).major >= 3:
        # Our DAGs read the metadata database, which no task reaches there: they would only be import errors.
        staging.remove_our_dags(clients.s3(target["region"]), target["bucket"], target["dagsPath"])
    return {"files": staged["files"]}


def _copy_settings(migration: Migration, airflow_version: str) -> tuple[Files, list[str]]:
    source, target = migration["source"], migration["target"]
    current = environment.get(clients.mwaa(source["region"]), source["environment"]) or {}
    from_s3, to_s3 = clients.s3(source["region"]), clients.s3(target["region"])
    pinned: dict[str, tuple[str, str]] = {}
    notes: list[str] = []
    for name, prefix in (("requirements", "Requirements"), ("plugins", "Plugins"), ("startup_script", "StartupScript")):
        key = current.get(f"{prefix}S3Path")
        if not key or f"{prefix}S3Path" in migration["overrides"]:
            continue
        to_key = f"{target['environment']}/{airflow_version}/{key.rsplit('/', 1)[-1]}"
        found = staging.pin(from_s3, source["bucket"], key, current.get(f"{prefix}S3ObjectVersion"))
        if name == "requirements":
            text, told = requirements_file.fitted(staging.read_text(from_s3, source["bucket"], found), airflow_version)
            notes += told
            version = staging.put_text(to_s3, target["bucket"], to_key, text)
        else:
            version = staging.copy(to_s3, found, source["bucket"], target["bucket"], to_key)
        pinned[name] = (to_key, version or "")
    return Files(dags=target["dagsPath"], **pinned), notes


def _stage_dags(migration: Migration, store: Store) -> dict[str, Any]:
    source, target = migration["source"], migration["target"]
    store.start_phase("stage resources")
    from_s3 = clients.s3(source["region"], staging.COPIERS)
    to_s3 = clients.s3(target["region"], staging.COPIERS)
    objects = staging.copy_folder(
        from_s3, to_s3, source["bucket"], source["dagsPath"], target["bucket"], target["dagsPath"]
    )
    ours = staging.put_our_dags(from_s3, source["bucket"], source["dagsPath"])
    staging.put_our_dags(to_s3, target["bucket"], target["dagsPath"])
    logger.info("staged", extra={"objects": objects, "ours": ours})
    return {"objects": objects, "ours": ours}
