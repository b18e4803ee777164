"""An environment without Airflow, for tests that need many.

It knows the DAG files in its folder, and our DAGs' runs end at once with the results that the engine would leave,
written with the environment's own rights.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any, cast

from local.mwaa.airflow_processes import AirflowProcesses
from local.mwaa.environment import Environment
from migration.airflow import runs

_ROWS = {"exported": 3, "merged": 3, "kept": 0, "set_aside": 0, "match": True, "rows": 3}
_TABLES = {name: {**_ROWS, "checksum_source": "c", "checksum_target": "c"} for name in ("dag", "dag_run")}
_FOUND = {
    "airflow_version": "2.10.3",
    "revision": "5f2621c13b39",
    "schema": "public",
    "tables": {"dag_run": {"rows": 3, "bytes": 8192}},
    "set_aside": [],
    "will_change": [],
    "not_examined": [],
    "undecryptable": [],
    "without_parent": [],
    "unfinished": {"dag_runs": 0, "task_instances": 0},
    "estimate": {"export_seconds": 5, "import_seconds": 15, "verify_seconds": 10, "disk_bytes": 16384},
    "problems": [],
    "ready": True,
}
# The results of each of our DAGs' runs, in the order in which its tasks leave them.
_RESULTS: dict[str, dict[str, dict[str, Any]]] = {
    "mwaa_migrator_export": {"export": {"tables": _TABLES, "unfinished": {}}, "compare": {}},
    "mwaa_migrator_probe": {"export": _FOUND},
    "mwaa_migrator_target_probe": {"import": {"airflow_version": "3.2.1", "revision": "r", "way_in": "IAM token"}},
    "mwaa_migrator_cut_over": {"import": {"dags": 1, "unpaused": 1, "schedules_moved": 0, "unknown": []}, "verify": {}},
    "mwaa_migrator_versions": {"import": {"given_dag_version": 3, "without_dag_version": 0}, "verify": {}},
    "mwaa_migrator_import": {"import": {"tables": _TABLES}, "verify": {"tables": _TABLES, "verified": True}},
}


# The result of a task that Airflow 3 keeps out.
_OUT_OF_REACH = {"status": "failed", "error": {"name": "DatabaseOutOfReach", "message": "No way leads there."}}


class LightEnvironment(Environment):
    """Is created, updated and deleted in no time."""

    #: Names of environments whose Airflow 3 keeps its tasks out of the database contain one of these.
    closed: tuple[str, ...] = ()

    #: Names of environments that cannot be created contain one of these.
    doomed: tuple[str, ...] = ()

    def _create(self) -> None:
        self._make_log_groups()
        if any(part in self.name for part in self.doomed):
            self.last_update = {"Status": "FAILED", "Error": {"ErrorCode": "X", "ErrorMessage": "no addresses left"}}
            self.status = "CREATE_FAILED"
            return
        self.airflow = cast("AirflowProcesses", _NoAirflow(self))
        self.last_update = {"Status": "SUCCESS"}
        self.status = "AVAILABLE"

    def _update(self, changes: Mapping[str, Any]) -> None:
        self.settings = {**self.settings, **changes}
        self.last_update = {"Status": "SUCCESS"}
        self.status = "AVAILABLE"

    def client(self, service: str) -> Any:
        """A client with the execution role's rights."""
        return self._client(service)


class _NoAirflow:
    """Answers the commands that a migration gives, of Airflow 2.5 and later and of Airflow 3."""

    def __init__(self, environment: LightEnvironment) -> None:
        self._environment = environment
        self._known: set[str] = set()
        self._runs: dict[str, str] = {}

    def stop(self, patience: float) -> None:
        """There is nothing to stop."""

    def command(self, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]:
        self._parse()
        match arguments:
            case ["dags", "state", dag, _]:
                return _answer("None" if dag in self._known else "")
            case ["dags", "unpause", dag]:
                return _answer("", 0 if dag in self._known else 1)
            case ["dags", "trigger", "--run-id", run, *_, "--conf", conf, dag]:
                # Which of our runs it is: their ids begin so.
                self._runs[run] = _kind(run.partition("__")[0])
                self._leave_results(self._runs[run], run, json.loads(conf)["artifact"])
                return _answer(f"Created <DagRun {dag} @ {run}>")
            case ["tasks", "states-for-dag-run", "--output", "json", dag, run] if run in self._runs:
                state = "failed" if self._is_kept_out(self._runs[run]) else "success"
                return _answer(json.dumps([{"task_id": name, "state": state} for name in _RESULTS[self._runs[run]]]))
            case ["dags", "delete", "--yes", dag]:
                self._known.discard(dag)
                return _answer("")
            case ["dags", "list", "--output", "json"]:
                return _answer(json.dumps([{"dag_id": dag} for dag in self._known]))
            case ["dags", "list-import-errors", "--output", "json"]:
                return _answer("[]")
        return _answer("not known here", 1)

    def _is_kept_out(self, dag: str) -> bool:
        closed = any(part in self._environment.name for part in self._environment.closed)
        return closed and dag in ("mwaa_migrator_target_probe", "mwaa_migrator_versions")

    def _parse(self) -> None:
        """Knows the DAGs in the folder, and goes on to know those that were there: what deletes them is a command."""
        settings = self._environment.settings
        bucket, folder = settings["SourceBucketArn"].split(":")[-1], settings["DagS3Path"]
        found = self._environment.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{folder}/", Delimiter="/")
        names = [item["Key"].rsplit("/", 1)[-1] for item in found.get("Contents", [])]
        self._known |= {name.removesuffix(".py") for name in names if name.endswith(".py")}

    def _leave_results(self, dag: str, run: str, artifact: str) -> None:
        bucket, _, prefix = artifact.removeprefix("s3://").partition("/")
        s3 = self._environment.client("s3")
        for name, content in _RESULTS[dag].items():
            did = _OUT_OF_REACH if self._is_kept_out(dag) else {"status": "done", "error": None, **content}
            result = {"command": name, "run_id": run, "seconds": 1.0, **did}
            s3.put_object(Bucket=bucket, Key=f"{prefix}/{name}.json", Body=json.dumps(result).encode())


def _kind(run: str) -> str:
    """Base and refreshes leave what a delta does."""
    return runs.dag_of(run) if runs.step_of(run) else run


def _answer(stdout: str, code: int = 0) -> subprocess.CompletedProcess[bytes]:
    return subprocess.CompletedProcess([], code, stdout.encode(), b"" if code == 0 else stdout.encode())
