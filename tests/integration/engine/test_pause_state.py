from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sources.deployment import Deployment

STATES = "select dag_id, is_paused from dag"


@pytest.fixture(scope="module")
def parsed_some(new_deployment: Callable[..., Deployment], empty_target: Deployment) -> Deployment:
    """A target that has parsed three of the source's DAGs, one of its own, and ours."""
    target = new_deployment(empty_target.installation.version, like=empty_target)
    target.execute(
        "insert into dag (dag_id, is_paused, is_active, max_active_tasks, max_consecutive_failed_dag_runs, "
        "has_task_concurrency_limits) select dag_id, paused, true, 16, 0, false from (values ('source_dag_1', true), "
        "('source_dag_2', false), ('source_dag_3', false), ('mine', false), ('mwaa_migrator_import', false)) "
        "d(dag_id, paused)"
    )
    return target


@pytest.mark.parametrize(
    ("choice", "states", "not_parsed"),
    [
        ("keep", {"source_dag_1": True, "source_dag_2": False, "source_dag_3": False}, []),
        # Odd ones are active in the source. The 5th and the 10th have no file there any more.
        (
            "source",
            {f"source_dag_{n}": n % 2 == 0 for n in (1, 2, 3, 4, 6, 7, 8, 9)},
            [f"source_dag_{n}" for n in (4, 6, 7, 8, 9)],
        ),
        (
            "all-paused",
            {f"source_dag_{n}": True for n in (1, 2, 3, 4, 6, 7, 8, 9)},
            [f"source_dag_{n}" for n in (4, 6, 7, 8, 9)],
        ),
    ],
)
def test_pause_state(
    choice: str,
    states: dict[str, bool],
    not_parsed: list[str],
    parsed_some: Deployment,
    copy_of: Callable[[Deployment], Deployment],
    artifact: Path,
) -> None:
    target = copy_of(parsed_some)
    result = target.succeed("import", "--from", str(artifact), "--pause-state", choice)["pause_state"]
    assert dict(target.rows(STATES)) == {**states, "mine": False, "mwaa_migrator_import": False}
    assert (result["choice"], result["not_parsed"]) == (choice, not_parsed)


def test_what_waits_for_a_dag_is_merged_after_the_dag(target: Deployment, artifact: Path) -> None:
    """The rows of dataset_dag_run_queue refer to the DAG's row, which the pause state makes."""
    result = target.succeed("import", "--from", str(artifact), "--pause-state", "source")
    queue = result["tables"]["dataset_dag_run_queue"]
    assert (queue["merged"], queue["set_aside"]) == (2, 0)
    query = "select uri, target_dag_id from dataset_dag_run_queue q join dataset d on d.id = q.dataset_id order by 1"
    assert target.rows(query) == [(f"s3://source/{n}?a=b%20c", "source_dag_1") for n in (1, 2)]
    assert target.succeed("verify", "--from", str(artifact))["verified"]


def test_ten_thousand_dags(source: Deployment, target: Deployment, tmp_path: Path, pytestconfig: Any) -> None:
    source.execute(
        "insert into dag (dag_id, is_paused, is_active, max_active_tasks, max_consecutive_failed_dag_runs, "
        "has_task_concurrency_limits) select 'many.' || n, n % 3 = 0, true, 16, 0, false "
        "from generate_series(1, 10000) n; "
        "insert into dag_run (dag_id, run_id, execution_date, state, run_type, clear_number) "
        "select 'many.' || n, 'manual', now(), 'success', 'manual', 0 from generate_series(1, 10000) n"
    )
    source.succeed("export", "--to", str(tmp_path))
    definitions = target.content()["definitions"]
    result = target.succeed("import", "--from", str(tmp_path), "--pause-state", "source")
    assert len(result["pause_state"]["not_parsed"]) == 10_008
    assert dict(target.rows(STATES)) == dict(source.rows(STATES + " where is_active"))
    assert result["tables"]["dag_run"]["merged"] == 10_200
    # So many rows are merged without the table's indexes and foreign keys, which are there again.
    assert target.content()["definitions"] == definitions
