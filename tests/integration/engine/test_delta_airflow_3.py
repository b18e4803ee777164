"""A base and a delta of 2.10.3, directly into 3.2.1, whose migrations give each task instance another key each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sources.deployment import Deployment
from tests.integration.engine.test_airflow_3 import AIRFLOW_3, ASTRAY
from tests.integration.engine.test_delta_import import WORK


def test_the_target_has_what_one_import_would_give_it(
    source: Deployment, new_deployment: Callable[..., Deployment], tmp_path: Path
) -> None:
    target = new_deployment(AIRFLOW_3)
    at_once = new_deployment(AIRFLOW_3, like=target)
    source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base", "--target-version", AIRFLOW_3)
    target.succeed("import", "--from", str(tmp_path / "base"))
    keys = dict(target.rows("select (dag_id, run_id, task_id, map_index)::text, id::text from task_instance"))
    source.execute(WORK)
    source.succeed("export", "--to", str(tmp_path), "--id", "delta", "--delta-of", str(tmp_path / "base"))
    target.succeed("import", "--from", str(tmp_path / "delta"))
    assert target.succeed("verify", "--from", str(tmp_path / "delta"))["verified"]
    source.succeed("export", "--to", str(tmp_path), "--id", "whole", "--target-version", AIRFLOW_3)
    at_once.succeed("import", "--from", str(tmp_path / "whole"))
    expected, found = at_once.counts(), target.counts()
    assert {name: (rows, found[name]) for name, rows in expected.items() if found[name] != rows} == {}
    # Those that both have keep the keys that the base gave them.
    after = dict(target.rows("select (dag_id, run_id, task_id, map_index)::text, id::text from task_instance"))
    both = set(keys) & set(after)
    assert len(both) > 900
    assert {name: after[name] for name in both} == {name: keys[name] for name in both}
    for reference in ("task_instance_note.ti_id", "task_reschedule.ti_id", "xcom.dag_run_id"):
        assert target.value(f"select count(*) from {ASTRAY[reference]}") == 0
