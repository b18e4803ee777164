"""Rows that break the source's own foreign keys, or whose parent an option left out: set aside, counted and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sources.deployment import Deployment

OLD, SAME, TARGET = "2.5.1", "2.10.3", "2.11.2"


def move(source: Deployment, target: Deployment, directory: Path, *options: str) -> dict[str, Any]:
    source.succeed("export", "--to", str(directory), *options)
    imported = target.succeed("import", "--from", str(directory))
    assert target.succeed("verify", "--from", str(directory))["verified"]
    return imported


@pytest.mark.parametrize("version", [OLD, SAME])
@pytest.mark.parametrize("in_target", [[], ["much_log"]], ids=["empty", "used"])
def test_set_aside(version: str, in_target: list[str], odd: Callable[..., Deployment], tmp_path: Path) -> None:
    target = odd(TARGET, *in_target)
    imported = move(odd(version, "history", "without_parents"), target, tmp_path)
    tasks = imported["tables"]["task_instance"]
    assert (tasks["set_aside"], tasks["set_aside_reasons"]) == (1, {"its parent is not in the artifact": 1})
    assert any(
        "1 rows of task_instance whose dag_run is missing, set aside: d t r3 -1" in line
        for line in imported["without_parent"]
    )


def test_of_a_task_with_rows_of_its_own(odd: Callable[..., Deployment], tmp_path: Path) -> None:
    imported = move(odd(OLD, "history", "xcom_of_a_lost_task"), odd(TARGET), tmp_path)
    assert imported["tables"]["xcom"]["set_aside"] == 1


def test_a_trigger_that_no_key_decrypts(odd: Callable[..., Deployment], tmp_path: Path) -> None:
    """Public: apache/airflow#47963, #16313, astronomer/starship#162."""
    source, target = odd(SAME, "history"), odd(TARGET)
    source.execute(
        "insert into trigger (id, classpath, kwargs, created_date) values (7, 'a.B', '', now()), "
        "(8, 'a.B', 'gAAAAAof-a-key-that-is-gone', now()), (9, 'a.B', '', now()); "
        "update task_instance set state = 'deferred', trigger_id = 7 where run_id = 'r1'; "
        "update task_instance set state = 'deferred', trigger_id = 8 where run_id = 'r2'; "
        "update task_instance set state = 'deferred', trigger_id = 9 where run_id = 'r3'"
    )
    imported = move(source, target, tmp_path, "--skip-undecryptable")
    assert imported["without_parent"] == [
        "1 rows of task_instance whose trigger is missing, trigger_id was cleared: d t r2 -1"
    ]
    assert target.value("select count(*) from task_instance where trigger_id is not null") == 2
    assert target.value("select count(*) from task_instance") == 4


def test_a_trigger_that_the_target_cannot_read(odd: Callable[..., Deployment], tmp_path: Path) -> None:
    target = odd(TARGET)
    imported = move(odd("2.8.1", "pod_trigger"), target, tmp_path)
    (line,) = imported["without_parent"]
    assert line.startswith("trigger 1 (own.PodTrigger) of d t r1, set aside: this Airflow cannot read it")
    assert imported["tables"]["trigger"]["set_aside_reasons"] == {"the target's Airflow cannot read it": 1}
    assert target.rows("select classpath from trigger") == [("own.Wait",)]
    assert target.rows("select run_id from task_instance where trigger_id is not null") == [("r2",)]
