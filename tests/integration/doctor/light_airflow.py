"""An environment without Airflow that says what Airflow 2.11 would to the doctor's commands."""

from __future__ import annotations

import json
import subprocess
from typing import Any, cast

from local.mwaa.airflow_processes import AirflowProcesses
from tests.integration.rehearsals.light_environment import LightEnvironment


class EnvironmentWithAirflow(LightEnvironment):
    def _create(self) -> None:
        super()._create()
        self.airflow = cast("AirflowProcesses", _Airflow())


class _Airflow:
    def stop(self, patience: float) -> None:
        """There is nothing to stop."""

    def command(self, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]:
        match arguments:
            case ["version"]:
                return _done("2.11.2\n")
            case ["dags", "list", "--output", "json"]:
                return _done(json.dumps([{"dag_id": "orders", "is_paused": "True"}]))
            case ["dags", "list-import-errors", "--output", "json"]:
                return _done("No data found\n")
            case ["dags", "pause", "--treat-dag-id-as-regex", "--yes", _]:
                return _done("No unpaused DAGs were found\n")
            case ["tasks", "states-for-dag-run", dag, run]:
                return _done(
                    stderr=f"airflow.exceptions.DagRunNotFound: DagRun for {dag} with run_id {run} not found\n"
                )
        raise AssertionError(arguments)


def _done(stdout: str = "", stderr: str = "") -> subprocess.CompletedProcess[Any]:
    return subprocess.CompletedProcess([], 1 if stderr else 0, stdout.encode(), stderr.encode())
