"""This project's own commands, as a user starts them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.installations.airflow_installation import AirflowInstallation
from local.installations.folders import ROOT

DAGS = ROOT / "dags"


class EngineFailed(Exception):
    """A command ended with an exit code other than 0; the message ends with what it printed."""


@dataclass
class Engine:
    """The commands of one Airflow with one database. `phases`: those of the last command, in seconds.

    `dags` is the folder that the engine is run from.
    """

    airflow: AirflowInstallation
    environment: Mapping[str, str]
    phases: dict[str, float] = field(default_factory=dict)
    dags: Path = DAGS

    def run(self, *arguments: str) -> dict[str, Any]:
        """Runs a command and returns its result."""
        return self.finish(self.start(*arguments))

    def export(self, directory: Path) -> dict[str, Any]:
        """Writes the artifact `directory/bench`."""
        return self.run("export", "--to", str(directory), "--id", "bench")

    def import_(self, directory: Path) -> dict[str, Any]:
        """Imports the artifact `directory/bench`."""
        return self.run("import", "--from", str(directory), "--id", "bench")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self.start_python("-m", "mwaa_migrator", *arguments, "--json")

    def start_python(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts Airflow's Python with the engine on its path; the last line of its output is a result."""
        return subprocess.Popen(
            [str(self.airflow.python), *arguments],
            env={**self.environment, "PYTHONPATH": str(self.dags)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """Waits for a command and returns its result.

        Raises:
            EngineFailed: its exit code is not 0.
        """
        output, errors = process.communicate()
        if process.returncode != 0:
            raise EngineFailed(f"{process.args!r} ended with {process.returncode}:\n{output}\n{errors}")
        result: dict[str, Any] = json.loads(output.splitlines()[-1])
        self.phases = {phase["name"]: phase["seconds"] for phase in result["phases"]}
        return result
