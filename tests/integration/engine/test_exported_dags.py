"""What an export writes of the source's DAGs, to be compared with those that a target has parsed."""

from __future__ import annotations

import json
from pathlib import Path

from sources.deployment import Deployment


def test_active_dags_with_their_files(source: Deployment, tmp_path: Path) -> None:
    folder = source.home / "dags"
    source.execute(
        "update dag set fileloc = %(folder)s || '/team/' || dag_id || '.py' where dag_id < 'source_dag_4';"
        "insert into import_error (filename, stacktrace, timestamp) values (%(folder)s || '/broken.py', 'x', now());"
        "update dag set fileloc = '/scheduler/dags/team/9.py' where dag_id = 'source_dag_9';"
        "insert into dag (dag_id, fileloc, is_paused, is_active, max_active_tasks, max_consecutive_failed_dag_runs, "
        "has_task_concurrency_limits) "
        "values ('mwaa_migrator_export', '/scheduler/dags/mwaa_migrator_export.py', false, true, 16, 0, false)",
        {"folder": str(folder)},
    )
    source.succeed("export", "--to", str(tmp_path), "--id", "e", "--dags", "source_dag_1", "--tables", "dag_run")
    told = json.loads((tmp_path / "e" / "dags.json").read_text())
    # The 5th and the 10th have no file any more; the history's cut does not cut the DAGs.
    assert [dag["dag_id"] for dag in told["dags"]] == [f"source_dag_{n}" for n in (1, 2, 3, 4, 6, 7, 8, 9)]
    assert told["dags"][0] == {"dag_id": "source_dag_1", "file": "team/source_dag_1.py", "paused": False}
    assert told["dags"][3]["file"] == "/dags/4.py"
    # The scheduler has another path for the folder than whoever exports.
    assert told["dags"][-1]["file"] == "team/9.py"
    assert told["broken_files"] == ["broken.py"]
    # A migration's checks need them before its export.
    assert source.succeed("check")["dag_list"] == told


def test_a_check_names_the_settings_that_an_import_brings(filled_source: Deployment) -> None:
    names = {
        "variable": [name for (name,) in filled_source.rows("select key from variable order by 1")],
        "connection": [name for (name,) in filled_source.rows("select distinct conn_id from connection order by 1")],
    }
    assert all(names.values())
    assert filled_source.succeed("check")["settings"] == names
    assert filled_source.succeed("check", "--exclude-tables", "variable")["settings"] == {**names, "variable": []}


def test_the_oldest_airflow_tells_them_too(old_artifact: Path) -> None:
    told = json.loads((old_artifact / "dags.json").read_text())
    assert told["dags"]
    assert all(dag["dag_id"].startswith("old_dag_") for dag in told["dags"])
