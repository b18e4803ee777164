"""Our DAG runs: their ids, their conf, and the results that they leave in the exchange bucket.

`run` is one of ours by its name: its DAG's, of which an attempt has one; but EXPORT has another one before it, PROBE,
and IMPORT has TARGET_PROBE before it, CUT_OVER and VERSIONS after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migration import errors, phase_names
from migration.airflow import ways_in
from migration.airflow.cli import AirflowCli, RunState
from migration.airflow.endpoint import Endpoint
from migration.airflow.our_dags import CUT_OVER, DAGS, EXPORT, IMPORT, PROBE, RESUME, TARGET_PROBE, VERSIONS
from migration.aws import clients
from migration.exchange import layout
from migration.exchange.store import Store
from migration.model import Migration, Side
from migration.times import shifted

_EXPORT_OPTIONS = (
    "historyDays",
    "dags",
    "xcoms",
    "tables",
    "excludeTables",
    "jobs",
    "skipUndecryptable",
    "setAside",
    "quiesce",
    "drainSeconds",
    "drainPolicy",
)
_IMPORT_OPTIONS = ("onConflict", "pickledXComs", "jobs")

# The results of a DAG's tasks in the order of the tasks; a run has done its work when the last one is there.
_RESULTS = {
    PROBE: ("export",),
    TARGET_PROBE: ("import",),
    EXPORT: ("quiesce", "drain", "export"),
    IMPORT: ("import", "verify"),
    # Its second task has nothing to do, and leaves no result.
    CUT_OVER: ("import",),
    # Its second task has nothing to do, and leaves its result before the access to the bucket is revoked.
    VERSIONS: ("import", "verify"),
    RESUME: ("resume",),
}
# The phase of the report that a run is.
PHASES = {
    PROBE: phase_names.CHECK_SOURCE,
    TARGET_PROBE: phase_names.CHECK_TARGET,
    EXPORT: phase_names.EXPORT,
    IMPORT: phase_names.IMPORT,
    RESUME: phase_names.RESUME,
}
_OPTIONAL = ("quiesce", "drain")
_DAG_OF = {PROBE: EXPORT, TARGET_PROBE: IMPORT, CUT_OVER: IMPORT, VERSIONS: IMPORT}
# What runs in the target at its final version.
_AFTER_HOPS = (CUT_OVER, VERSIONS)
# Seconds from the execution date of an attempt's runs to that of such a run.
_LATER = {PROBE: -60, TARGET_PROBE: -60, CUT_OVER: 30, VERSIONS: 60}
# Where such a run leaves its results, below the artifact.
_FOLDERS = {
    PROBE: layout.PROBE,
    TARGET_PROBE: layout.PROBE,
    CUT_OVER: layout.CUT_OVER_RUN,
    VERSIONS: layout.VERSIONS,
}


def run_id(migration: Migration, run: str) -> str:
    """The id of that run in this attempt: always the same, so a retry finds the run instead of starting another."""
    return f"{run}__{migration['artifactId']}"


def dag_of(run: str) -> str:
    """The DAG that a run is a run of."""
    return _DAG_OF.get(run, run)


def date_of(migration: Migration, run: str) -> str:
    """Its execution date, by which Airflow knows a run before 2.2: one run of a DAG for each."""
    return shifted(migration["executionDate"], _LATER[run]) if run in _LATER else migration["executionDate"]


def side_of(migration: Migration, run: str) -> Side:
    """The environment that a run of ours is in."""
    return migration["target"] if dag_of(run) == IMPORT else migration["source"]


def version_of(migration: Migration, run: str) -> str:
    """The Airflow version of that environment at that time: the import runs before the hops, others after them."""
    if run in _AFTER_HOPS:
        return migration["target"]["airflowVersion"]
    return migration["importVersion"] if dag_of(run) == IMPORT else migration["source"]["airflowVersion"]


def cli(migration: Migration, run: str) -> AirflowCli:
    """The CLI of the environment that a run of ours is in, at its version then."""
    return cli_of(side_of(migration, run), version_of(migration, run))


def final_cli(migration: Migration, airflow_version: str | None = None) -> AirflowCli:
    """The CLI of the target at its final version, or at the one that it has reached."""
    side = migration["target"]
    return cli_of(side, airflow_version or side["airflowVersion"])


def cli_of(side: Side, airflow_version: str) -> AirflowCli:
    return AirflowCli(Endpoint(clients.mwaa(side["region"]), side["environment"]), airflow_version)


def active_dags(artifact: Store) -> list[str]:
    """The user's DAGs that were active in the source when it was quiesced; none where it was not.

    DAGs whose files are gone are left out: they stay unpaused for years, and no target knows them.
    """
    quiesced = artifact.read(layout.result("quiesce")) or {}
    # An export that leaves out the table of DAGs names none.
    known = {dag["dag_id"] for dag in (artifact.read(layout.DAGS) or {}).get("dags", [])}
    return [dag for dag in quiesced.get("active_dags", []) if dag not in DAGS and (not known or dag in known)]


def quiesces(migration: Migration) -> bool:
    return migration["mode"] == "migrate" and bool(migration["options"]["quiesce"])


def conf(migration: Migration, run: str) -> dict[str, Any]:
    """The conf that a run is triggered with."""
    options: dict[str, Any] = {}
    artifact = migration["artifact"]
    if run in (PROBE, EXPORT):
        options = _given(migration["options"], _EXPORT_OPTIONS) | {
            "targetVersion": migration["target"]["airflowVersion"],
            "quiesce": run == EXPORT and quiesces(migration),
        }
    elif run == IMPORT:
        # All paused until the cut-over unpauses what was active.
        options = _given(migration["options"], _IMPORT_OPTIONS) | {"pauseState": "all-paused"}
        if migration["hops"]:
            options["hopVersion"] = migration["target"]["airflowVersion"]
    elif run == CUT_OVER:
        options = {"cutOver": True}
    elif run == VERSIONS:
        options = {"dagVersions": True}
    if run in (IMPORT, TARGET_PROBE, CUT_OVER) and migration["wayIn"] != ways_in.WORKER:
        options["wayIn"] = migration["wayIn"]
    if run in (PROBE, TARGET_PROBE):
        options["probe"] = True
    if run in _FOLDERS:
        artifact = f"{artifact}/{_FOLDERS[run]}"
    return {"artifact": artifact, "options": options}


def results(artifact: Store, run: str, its_id: str) -> dict[str, dict[str, Any]]:
    """The results that a run has left so far, by name. Results of another run do not count."""
    found = {name: artifact.read(layout.result(name, _FOLDERS.get(run, ""))) for name in _RESULTS[run]}
    return {name: result for name, result in found.items() if result is not None and result.get("run_id") == its_id}


def failure(found: Mapping[str, dict[str, Any]]) -> errors.MigrationError | None:
    """The error of the first result that has failed, under the name that the engine gave it."""
    for name, result in found.items():
        if result["status"] == "failed":
            error = result.get("error") or {}
            message = f"{name}: {error.get('message', 'no message')}"
            return errors.named(error.get("name", "DagRunFailed"), message)
    return None


def judge(run: str, its_id: str, run_state: RunState, found: Mapping[str, dict[str, Any]]) -> None:
    """Raises the error that an unfinished run stands for; a run that Airflow still works on stands for none.

    A failed result is final only when the run is: a task may have retries left.
    """
    failed = failure(found)
    if failed is not None and run_state.state != "running":
        raise failed
    if run_state.state == "failed":
        raise errors.DagRunFailed(
            f"{run}: run {its_id} failed without a result (tasks: {run_state.tasks or 'unknown'}). Look at its task "
            "logs: StorageUnreachable or MissingRight there means that the environment's tasks do not reach the "
            "exchange bucket, and the plan's notes may say why."
        )
    if run_state.state == "success":
        raise errors.ResultMissing(
            f"{run}: run {its_id} succeeded but its result is not in the exchange bucket. Look at its task logs."
        )


def is_complete(run: str, found: Mapping[str, dict[str, Any]]) -> bool:
    """Whether every result of a run is there and says that it is done."""
    wanted = [name for name in _RESULTS[run] if name not in _OPTIONAL]
    return all(found.get(name, {}).get("status") == "done" for name in wanted)


def _given(options: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The options that are set; for null and empty ones the engine's defaults hold."""
    return {name: options[name] for name in names if options.get(name) not in (None, [])}
