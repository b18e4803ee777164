"""Parses and runs DAGs in a real Airflow: a script of its own inside the installation, with JSON as its answer."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.installations.airflow_installation import AirflowInstallation

_SCRIPT = Path(__file__).with_name("in_airflow.py")
ANSWER = "answer: "


@dataclass
class Deployment:
    """One Airflow with a database and a DAGs folder of its own, for runs in the foreground."""

    installation: AirflowInstallation
    home: Path
    database: str
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def dags(self) -> Path:
        return self.home / "dags"

    def parse(self) -> dict[str, Any]:
        """The tasks of each DAG by DAG id, and the import errors by file."""
        return self._run("parse", [])

    def run(self, dag_ids: Sequence[str], logical_date: str, environment: Mapping[str, str]) -> dict[str, Any]:
        """Runs DAGs to their end, and gives for each its state and its tasks' states."""
        return self._run("run", [logical_date, *dag_ids], environment)

    def _run(self, what: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        env = (
            self.installation.environment(self.home, self.database, core__executor="SequentialExecutor")
            | self.variables
        )
        log = self.home / "output.log"
        # A run that does not end is told by its log.
        with log.open("w") as output, contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [str(self.installation.python), str(_SCRIPT), what, *arguments],
                env={**env, **(environment or {})},
                cwd=self.home,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=300,
                check=False,
            )
        told = log.read_text()
        lines = [line for line in told.splitlines() if line.startswith(ANSWER)]
        assert lines, told[-8000:]
        answer: dict[str, Any] = json.loads(lines[-1].removeprefix(ANSWER))
        answer["output"] = told
        return answer
