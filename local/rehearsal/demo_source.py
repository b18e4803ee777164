"""The source environment of a rehearsal on this machine, with DAGs that have really run."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from local.rehearsal.source_environment import SourceNotReady, create, query, wait_until_parsed

DEMO_DAGS = Path(__file__).parent / "demo_dags"
_POPULATE = Path(__file__).parent / "populate_source.py"

#: Seconds that the runs may take which fill the source; what still runs then is left to the drain.
_RUNS_TIMEOUT = 180.0


@dataclass(frozen=True)
class Population:
    """What is put into the source.

    Attributes:
        trigger: runs as (DAG id, run id, conf).
        connections: URIs by id.
        pools: (name, slots, description).
    """

    unpause: list[str]
    trigger: list[tuple[str, str, dict[str, Any]]]
    variables: dict[str, str] = field(default_factory=dict)
    connections: dict[str, str] = field(default_factory=dict)
    pools: list[tuple[str, int, str]] = field(default_factory=list)

    def as_json(self) -> str:
        return json.dumps(self.__dict__)


_SETTINGS: dict[str, Any] = {
    "variables": {"greeting": 'grüezi; it\'s a "test"\nof two lines', "orders_api_key": "demo-secret-of-a-variable"},
    "connections": {
        "warehouse": "postgresql://loader:demo-secret-of-a-connection@db.example.com:5432/dwh?sslmode=require"
    },
    "pools": [("reports", 3, "for the nightly reports")],
}
_DEMO_RUNS: list[tuple[str, str, dict[str, Any]]] = [
    ("demo_orders", "orders_1", {"orders": 3}),
    ("demo_orders", "orders_2", {"orders": 5}),
    ("demo_flaky", "flaky_1", {}),
]
_DEMO_ACTIVE = ["demo_orders", "demo_flaky", "demo_daily"]


def make(
    aws: AwsWithMwaa,
    name: str,
    airflow_version: str,
    dags: Path | None,
    seed_sql: Path | None,
    say: Callable[[str], None],
) -> Environment:
    """Creates the source environment, adds settings, lets its DAGs run, and runs the user's SQL.

    Args:
        dags: a folder of the user's own DAGs in place of the demo's; each of them is unpaused and has one run.

    Raises:
        SourceNotReady: it could not be made.
    """
    environment = create(aws, name, airflow_version, dags or DEMO_DAGS, say)
    say("waiting until the source has parsed its DAGs")
    found = wait_until_parsed(environment, wanted=None if dags else {*_DEMO_ACTIVE, "demo_paused"})
    say("letting the source's DAGs run")
    if dags is None:
        population = Population(_DEMO_ACTIVE, _DEMO_RUNS, **_SETTINGS)
    else:
        population = Population(found, [(dag_id, f"rehearsal_{dag_id}", {}) for dag_id in found], **_SETTINGS)
    _populate(environment, population)
    _wait_for_runs(environment, say)
    if seed_sql is not None:
        say(f"running {seed_sql.name} in the source's database")
        environment.database.run_sql_file(seed_sql.resolve())
    return environment


def _populate(environment: Environment, population: Population) -> None:
    airflow = environment.airflow
    if airflow is None:
        raise SourceNotReady(f"the source is {environment.status}")
    done = subprocess.run(
        [str(airflow.installation.python), str(_POPULATE), population.as_json()],
        env=airflow.environment,
        cwd=airflow.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        raise SourceNotReady(f"the source could not be filled:\n{done.stderr.strip()[-2000:]}")


def _wait_for_runs(environment: Environment, say: Callable[[str], None]) -> None:
    deadline = time.monotonic() + _RUNS_TIMEOUT
    quiet_since: float | None = None
    while time.monotonic() < deadline:
        states = dict(query(environment, "SELECT coalesce(state, 'none'), count(*) FROM dag_run GROUP BY 1"))
        unfinished = sum(count for state, count in states.items() if state not in ("success", "failed"))
        if unfinished:
            quiet_since = None
        elif quiet_since is None:
            quiet_since = time.monotonic()
        # The scheduler makes the runs of a schedule one after the other, so it must have been quiet for a while.
        elif time.monotonic() - quiet_since > 4:
            runs = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
            (tasks,) = query(environment, "SELECT count(*) FROM task_instance")[0]
            say(f"the source has {tasks} task instances in runs: {runs}")
            return
        time.sleep(0.5)
    say(f"some of the source's runs have not ended after {_RUNS_TIMEOUT:.0f} s; going on")
