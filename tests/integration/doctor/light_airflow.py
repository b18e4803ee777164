"""An environment without Airflow that says what Airflow 2.11 would to the doctor's commands."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from typing import Any, cast

from local.mwaa.airflow_processes import AirflowProcesses
from tests.integration.rehearsals.light_environment import LightEnvironment

# What the probe's task finds in an environment that is as expected.
ANSWERS: Mapping[str, Any] = {
    "waysIn": ["Airflow's engine"],
    "who": {
        "user": "airflow_user",
        "owner": "adminuser",
        "isMember": True,
        "mayWrite": True,
        "server": "PostgreSQL 16",
    },
    "schemaRefusal": "",
    "idleSeconds": 120,
}


class EnvironmentWithAirflow(LightEnvironment):
    """
    Attributes:
        answers: what the probe's task leaves in the exchange bucket; if empty, it does not reach it.
        before_answer: called when the probe's run is triggered.
        parses: whether it gets to know new DAG files.
        deleted: the DAGs whose rows were deleted.
    """

    answers: Mapping[str, Any] = ANSWERS
    parses = True
    deleted: tuple[str, ...] = ()

    def _create(self) -> None:
        super()._create()
        self.before_answer: Callable[[], None] = lambda: None
        self.airflow = cast("AirflowProcesses", _Airflow(self))

    def knows(self, dag_id: str) -> bool:
        """Whether its file is in the DAG folder."""
        bucket = self.settings["SourceBucketArn"].split(":")[-1]
        found = self.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{self.settings['DagS3Path']}/{dag_id}.py")
        return self.parses and found["KeyCount"] == 1


class _Airflow:
    def __init__(self, environment: EnvironmentWithAirflow) -> None:
        self._environment = environment
        self._triggered: set[str] = set()

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
            case ["dags", "state", dag, _]:
                return _done("None\n" if self._environment.knows(dag) or dag in self._triggered else "")
            case ["dags", "trigger", "--run-id", run, "--conf", conf, dag]:
                self._answer(json.loads(conf))
                self._triggered.add(dag)
                return _done(f"Created <DagRun {dag} @ {run}>\n")
            case ["dags", "delete", "--yes", dag]:
                self._triggered.discard(dag)
                self._environment.deleted = (*self._environment.deleted, dag)
                return _done("Removed 3 record(s)\n")
        raise AssertionError(arguments)

    def _answer(self, conf: dict[str, Any]) -> None:
        self._environment.before_answer()
        if self._environment.answers:
            body = json.dumps(self._environment.answers).encode()
            self._environment.client("s3").put_object(Bucket=conf["bucket"], Key=conf["key"], Body=body)


def _done(stdout: str = "", stderr: str = "") -> subprocess.CompletedProcess[Any]:
    return subprocess.CompletedProcess([], 1 if stderr else 0, stdout.encode(), stderr.encode())
