"""The DAG folders of an environment: its scheduler, its workers and its web server each have one of their own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_VARIABLES = ("AIRFLOW__CORE__DAGS_FOLDER", "PYTHONPATH")


@dataclass(frozen=True)
class DagFolders:
    """
    Attributes:
        scheduler: also of what else reads DAG files, the DAG processor and the triggerer.
        web_server: where commands run.
    """

    scheduler: Path
    workers: Path
    web_server: Path

    @classmethod
    def of_home(cls, home: Path) -> DagFolders:
        return cls(home / "dags", home / "dags-of-workers", home / "dags-of-web-server")

    def environment(self, variables: Mapping[str, str], folder: Path) -> dict[str, str]:
        """The variables of a process with another of the folders than the scheduler's, which `variables` name."""
        changed = {
            name: os.pathsep.join(
                str(folder) if entry == str(self.scheduler) else entry for entry in variables[name].split(os.pathsep)
            )
            for name in _VARIABLES
        }
        return {**variables, **changed}


def delay_seconds() -> float:
    """How much later than the scheduler's the other folders change."""
    return float(os.environ.get("DAG_FOLDER_DELAY_SECONDS", "2"))
