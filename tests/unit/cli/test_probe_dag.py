"""The doctor's DAG, made by a stand-in for Airflow."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from mwaa_migrator.dag_tasks import dag as migrations_dag

from mwaa_migrator_cli.doctor import probe, probe_dag


@pytest.fixture(autouse=True)
def airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much of Airflow as makes a DAG, which is its arguments."""
    contents: dict[str, dict[str, Any]] = {
        "airflow": {"DAG": SimpleNamespace},
        "airflow.operators": {},
        "airflow.operators.python": {"PythonOperator": SimpleNamespace},
    }
    for name, content in contents.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)


def test_its_task_lives_under_the_same_conditions_as_a_migrations() -> None:
    """A worker whose folder is behind would end it at once, a default time-out while it is idle."""
    arguments = probe_dag.make_dag(SimpleNamespace).default_args
    assert arguments == migrations_dag.make_dag("d", "of a migration", ["export"]).default_args
    # The doctor waits for all tries of a task that ends when it has been idle for longest.
    tries = 1 + arguments["retries"]
    waits = arguments["retries"] * arguments["retry_delay"].total_seconds()
    assert tries * probe.IDLE_SECONDS[-1] + waits < probe._ANSWERED_WITHIN
