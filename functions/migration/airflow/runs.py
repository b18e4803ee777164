"""Our DAG runs: their ids, their conf, and the results that they leave in the exchange bucket.

`run` is one of ours by its name. An attempt has one run of each of our DAGs that is named as the DAG is: of EXPORT and
IMPORT that is the delta's. The others come before it (PROBE and TARGET_PROBE; `mwaa_migrator_export_base`,
`mwaa_migrator_import_refresh_1`) or after it (CUT_OVER and VERSIONS).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from migration import errors, phase_names
from migration.airflow import ways_in
from migration.airflow.cli import AirflowCli, RunState
from migration.airflow.endpoint import Endpoint
from migration.airflow.our_dags import (
    BASE,
    COMPARE,
    CUT_OVER,
    DAGS,
    EXPORT,
    IMPORT,
    PROBE,
    REFRESH,
    RESUME,
    TARGET_PROBE,
    VERSIONS,
)
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
    # What comes after the export is waited for beside the import.
    EXPORT: ("quiesce", "drain", "export"),
    COMPARE: ("compare",),
    IMPORT: ("import", "verify"),
    # Its second task has nothing to do, and leaves no result.
    CUT_OVER: ("import",),
    # Its second task has nothing to do, and leaves its result before the access to the bucket is revoked.
    VERSIONS: ("import", "verify"),
    RESUME: ("resume",),
}
# The phase of the report that a run is.
_PHASES = {
    PROBE: phase_names.CHECK_SOURCE,
    TARGET_PROBE: phase_names.CHECK_TARGET,
    EXPORT: phase_names.EXPORT,
    IMPORT: phase_names.IMPORT,
    COMPARE: phase_names.COMPARE,
    RESUME: phase_names.RESUME,
}
_OPTIONAL = ("quiesce", "drain")
_DAG_OF = {PROBE: EXPORT, COMPARE: EXPORT, TARGET_PROBE: IMPORT, CUT_OVER: IMPORT, VERSIONS: IMPORT}
# What runs in the target at its final version.
_AFTER_HOPS = (CUT_OVER, VERSIONS)
# Seconds from the execution date of an attempt's runs to that of such a run; to the base's, from which those of the
# refreshes follow.
_LATER = {PROBE: -60, TARGET_PROBE: -60, CUT_OVER: 30, VERSIONS: 60}
_LATER_BASE = -50
# Where such a run leaves its results, below the attempt's artifact.
_FOLDERS = {
    PROBE: layout.PROBE,
    TARGET_PROBE: layout.PROBE,
    CUT_OVER: layout.CUT_OVER_RUN,
    VERSIONS: layout.VERSIONS,
}
_STEP = re.compile(rf"(?P<dag>{EXPORT}|{IMPORT})_(?P<step>{BASE}|{REFRESH}_(?P<number>\d+))")
# A refresh that has taken no longer, in seconds, leaves so little behind that another one would save nothing.
_SHORT = 60.0


def run_id(migration: Migration, run: str) -> str:
    """The id of that run in this attempt: always the same, so a retry finds the run instead of starting another."""
    return f"{EXPORT if run == COMPARE else run}__{migration['artifactId']}"


def dag_of(run: str) -> str:
    """The DAG that a run is a run of."""
    step = _STEP.fullmatch(run)
    return step["dag"] if step else _DAG_OF.get(run, run)


def step_of(run: str) -> str:
    """`base` or `refresh_1`; empty for a run that is of neither."""
    step = _STEP.fullmatch(run)
    return step["step"] if step else ""


def of_step(dag: str, step: str) -> str:
    """The run of EXPORT or IMPORT that is a step's; with an empty one, the delta's."""
    return f"{dag}_{step}" if step else dag


def phase_of(run: str) -> str:
    """The phase of the report that a run is."""
    step, dag = step_of(run), dag_of(run)
    return f"{_PHASES[dag]} {step.replace('_', ' ')}" if step else _PHASES[run]


def artifact_of(migration: Migration, run: str) -> str:
    """Where an export's run writes its artifact, and the import's reads it: a prefix without a slash at its end."""
    folder = _folder(run, migration["artifactId"])
    prefix = layout.artifact(migration["artifactId"])
    return f"{prefix}/{folder}" if folder else prefix


def after(migration: Migration, run: str) -> str:
    """The run that comes after one has ended: an import after its export, and after the delta's the end of that of its
    export. Empty where something else comes first."""
    if run == PROBE:
        return TARGET_PROBE if migration["direct"] else ""
    if run == IMPORT:
        return COMPARE if quiesces(migration) else ""
    return of_step(IMPORT, step_of(run)) if dag_of(run) == EXPORT and run != COMPARE else ""


def after_import(migration: Migration, run: str, seconds: float) -> str:
    """The export that comes after an import that took `seconds` with its export; empty after the delta's.

    Refreshes follow the base until one of them was short. A rehearsal's delta is what a refresh is, since nothing is
    paused for it.
    """
    step = _STEP.fullmatch(run)
    if step is None:
        return ""
    done, most = int(step["number"] or 0), migration["options"]["baseRefreshes"]
    is_short = done > 0 and seconds <= _SHORT
    if migration["mode"] == "rehearse" or done >= most or is_short:
        return EXPORT
    return of_step(EXPORT, f"{REFRESH}_{done + 1}")


def all_of(migration: Migration) -> list[str]:
    """Every run that an attempt may have."""
    steps = [BASE, *(f"{REFRESH}_{number + 1}" for number in range(migration["options"]["baseRefreshes"]))]
    before = [PROBE, TARGET_PROBE, *(of_step(dag, step) for step in steps for dag in (EXPORT, IMPORT))]
    return [*before, *DAGS, CUT_OVER, VERSIONS]


def date_of(migration: Migration, run: str) -> str:
    """Its execution date, by which Airflow knows a run before 2.2: one run of a DAG for each."""
    step = _STEP.fullmatch(run)
    later = _LATER_BASE + int(step["number"] or 0) if step else _LATER.get(run, 0)
    return shifted(migration["executionDate"], later) if later else migration["executionDate"]


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


def conf(migration: Migration, run: str, follows: str | None = None) -> dict[str, Any]:
    """The conf that a run is triggered with. `follows`: the URL of the artifact that an export's follows as a delta."""
    options: dict[str, Any] = {}
    if dag_of(run) == EXPORT:
        options = _given(migration["options"], _EXPORT_OPTIONS) | {
            "targetVersion": migration["target"]["airflowVersion"],
            "quiesce": run == EXPORT and quiesces(migration),
        }
        if step_of(run) == BASE:
            options["asBase"] = True
        elif follows is not None:
            options["deltaOf"] = follows
    elif run == IMPORT or step_of(run):
        # All paused until the cut-over unpauses what was active.
        options = _given(migration["options"], _IMPORT_OPTIONS) | {"pauseState": "all-paused"}
        # Once its rows are mended for an upgrade, the target takes no other delta.
        if run == IMPORT and migration["hops"]:
            options["hopVersion"] = migration["target"]["airflowVersion"]
    elif run == CUT_OVER:
        options = {"cutOver": True}
    elif run == VERSIONS:
        options = {"dagVersions": True}
    if dag_of(run) == IMPORT and run != VERSIONS and migration["wayIn"] != ways_in.WORKER:
        options["wayIn"] = migration["wayIn"]
    if run in (PROBE, TARGET_PROBE):
        options["probe"] = True
    folder = _folder(run, migration["artifactId"])
    return {"artifact": f"{migration['artifact']}/{folder}" if folder else migration["artifact"], "options": options}


def _folder(run: str, artifact_id: str) -> str:
    """Below the attempt's artifact; empty for what lies there itself. The engine knows an artifact by its folder, and
    a target can have those of several attempts."""
    step = step_of(run)
    return layout.step(artifact_id, step) if step else _FOLDERS.get(run, "")


def results(artifact: Store, run: str, its_id: str) -> dict[str, dict[str, Any]]:
    """The results that a run has left so far, by name. Results of another run do not count."""
    folder = _folder(run, its_id.partition("__")[2])
    found = {name: artifact.read(layout.result(name, folder)) for name in _result_names(run)}
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
    wanted = [name for name in _result_names(run) if name not in _OPTIONAL]
    return all(found.get(name, {}).get("status") == "done" for name in wanted)


def _result_names(run: str) -> tuple[str, ...]:
    return _RESULTS[dag_of(run) if step_of(run) else run]


def _given(options: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The options that are set; for null and empty ones the engine's defaults hold."""
    return {name: options[name] for name in names if options.get(name) not in (None, [])}
