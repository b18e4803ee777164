"""What a translation is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ShellOn = Literal["ssm", "ecs", "worker"]
EmrOn = Literal["cluster", "serverless"]


@dataclass(frozen=True)
class Options:
    """The target's Airflow version, where shell commands and work on EMR run, and when the DAG takes over.

    `start` is the scheduled start of the first run that the DAG makes, in UTC; None leaves it to the definition, and
    the DAG without catch-up.
    """

    airflow: str = "2.11.2"
    shell_on: ShellOn = "ssm"
    start: datetime | None = None
    emr_on: EmrOn = "cluster"

    @property
    def release(self) -> tuple[int, ...]:
        """The version for comparisons: (2, 11, 2)."""
        return tuple(int(part) for part in self.airflow.split("."))
