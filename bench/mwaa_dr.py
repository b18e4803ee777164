"""The peer mwaa-dr 2.2: its backup and restore DAGs, with local files for storage.

It runs inside the source's Airflow, and needs the same version on the target.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.databases import Databases
from local.installations.airflow_installation import AirflowInstallation
from local.installations.folders import ROOT
from local.installations.uv import make_environment

_TASKS = Path(__file__).with_name("mwaa_dr_tasks.py")


class MwaaDrFailed(Exception):
    """A task of mwaa-dr failed; the message ends with what it printed."""


@dataclass(frozen=True)
class MwaaDr:
    """Its package is on Airflow's path and not in Airflow's installation, which stays as it is locked."""

    airflow: AirflowInstallation
    databases: Databases
    packages: Path

    @classmethod
    def install(cls, airflow: AirflowInstallation, databases: Databases) -> MwaaDr:
        """
        Raises:
            local.installations.uv.InstallationFailed: uv failed.
        """
        directory = ROOT / "build" / "mwaa-dr"
        make_environment(directory, "3.11", ROOT / "requirements" / "mwaa-dr.txt")
        return cls(airflow, databases, directory / "lib" / "python3.11" / "site-packages")

    def backup(self, source: str) -> dict[str, float]:
        """Writes a file for each table; returns the seconds of each task."""
        return self._run("backup_metadata", source)

    def restore(self, target: str) -> dict[str, float]:
        """Reads the files of the last backup; returns the seconds of each task."""
        return self._run("restore_metadata", target)

    def forget_backup(self, source: str) -> None:
        """Drops the table that a backup leaves in the database it was made of."""
        self.databases.psql(source, "drop table if exists active_dags")

    def _run(self, dag: str, database: str) -> dict[str, float]:
        environment = {
            **self.databases.environment(self.airflow, database),
            "PYTHONPATH": str(self.packages),
            "PYTHONWARNINGS": "ignore",
            # mwaa-dr takes anything but S3 for the local file system: AIRFLOW_HOME/dags/data.
            "AIRFLOW_VAR_DR_STORAGE_TYPE": "LOCAL_FS",
        }
        done = subprocess.run(
            # -P keeps the script's folder off the path, where this module would be taken for the package.
            [str(self.airflow.python), "-P", str(_TASKS), dag],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise MwaaDrFailed(f"{dag} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return seconds
