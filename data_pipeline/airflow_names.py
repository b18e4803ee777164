"""Where Airflow has what a DAG imports: it moved between 2 and 3."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AirflowNames:
    """The modules of one Airflow version."""

    release: tuple[int, ...]

    @property
    def is_3(self) -> bool:
        return self.release >= (3,)

    @property
    def dag(self) -> str:
        return "airflow.sdk" if self.is_3 else "airflow"

    @property
    def task(self) -> str:
        return "airflow.sdk" if self.is_3 else "airflow.decorators"

    @property
    def param(self) -> str:
        return "airflow.sdk" if self.is_3 else "airflow.models.param"

    @property
    def bash(self) -> str:
        return "airflow.providers.standard.operators.bash" if self.is_3 else "airflow.operators.bash"

    @property
    def empty(self) -> str:
        return "airflow.providers.standard.operators.empty" if self.is_3 else "airflow.operators.empty"

    @property
    def base_hook(self) -> str:
        return "airflow.sdk" if self.is_3 else "airflow.hooks.base"

    @property
    def fail_exception(self) -> str:
        return "airflow.sdk.exceptions" if self.is_3 else "airflow.exceptions"

    @property
    def interval_timetables(self) -> str:
        return "airflow.sdk" if self.is_3 else "airflow.timetables.interval"

    @property
    def trigger_timetables(self) -> str:
        return "airflow.sdk" if self.is_3 else "airflow.timetables.trigger"
