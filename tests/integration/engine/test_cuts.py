"""Exports of a part: by age, by DAG, by table."""

from __future__ import annotations

from pathlib import Path

import pytest

from sources.deployment import Deployment
from tests.integration.engine.commands import names

QUEUE = ["dataset_dag_run_queue"]

#: Where each table keeps the run that a row belongs to, as a join to dag_run r.
LINKS = {
    "dag_run": "t.id = r.id",
    "xcom": "t.dag_run_id = r.id",
    "dag_run_note": "t.dag_run_id = r.id",
    "dagrun_dataset_event": "t.dag_run_id = r.id",
    **dict.fromkeys(
        [
            "task_instance",
            "task_instance_history",
            "task_fail",
            "task_reschedule",
            "task_map",
            "rendered_task_instance_fields",
            "task_instance_note",
        ],
        "t.dag_id = r.dag_id and t.run_id = r.run_id",
    ),
}
OLD_LINKS = dict.fromkeys(
    ["dag_run", "task_instance", "task_fail", "task_reschedule", "rendered_task_instance_fields", "xcom"],
    "t.dag_id = r.dag_id and t.execution_date = r.execution_date",
)

#: References to the target's own rows, where they should be empty.
ASTRAY = """
    select count(*) from task_instance t left join job j on j.id = t.job_id left join trigger g on g.id = t.trigger_id
     where t.dag_id like 'source%' and (j.hostname <> t.hostname or g.classpath <> t.next_method)
"""

RECENT = "(r.state not in ('success', 'failed') or r.end_date >= now() - interval '6 days')"
OF_DAGS = "r.dag_id ~ '^(source|old)_dag_[12]$'"


@pytest.mark.parametrize(
    ("arguments", "condition"),
    [
        (["--days", "6"], RECENT),
        (["--dags", "source_dag_[12]"], OF_DAGS),
        (["--days", "6", "--dags", "source_dag_1|source_dag_2"], f"{RECENT} and {OF_DAGS}"),
    ],
)
def test_rows_follow_their_runs(
    arguments: list[str], condition: str, filled_source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    exported = filled_source.succeed("export", "--to", str(tmp_path), *arguments)["tables"]
    assert rows(exported, LINKS) == expected(filled_source, LINKS, condition)
    assert exported["variable"]["rows"] == filled_source.value("select count(*) from variable")
    assert exported["log"]["rows"] < filled_source.value("select count(*) from log")
    tables = target.succeed("import", "--from", str(tmp_path))["tables"]
    assert set(names(tables, "set_aside")) <= set(QUEUE)


def test_rows_of_1_10_follow_their_runs(old_source: Deployment, target: Deployment, tmp_path: Path) -> None:
    """There a row knows its run by the execution date only; cut or not, every row has its run after the upgrade."""
    exported = old_source.succeed("export", "--to", str(tmp_path), "--days", "6", "--dags", "old_dag_[12]")["tables"]
    assert rows(exported, OLD_LINKS) == expected(old_source, OLD_LINKS, f"{RECENT} and {OF_DAGS}")
    tables = target.succeed("import", "--from", str(tmp_path))["tables"]
    assert names(tables, "set_aside") == []
    assert target.succeed("verify", "--from", str(tmp_path))["verified"]


def rows(tables: dict[str, dict[str, int]], links: dict[str, str]) -> dict[str, int]:
    return {name: tables[name]["rows"] for name in links}


def expected(source: Deployment, links: dict[str, str], condition: str) -> dict[str, int]:
    counts = {
        name: source.value(f"select count(*) from {name} t join dag_run r on {link} where {condition}")
        for name, link in links.items()
    }
    assert 0 < counts["dag_run"] < source.value("select count(*) from dag_run")
    return counts


@pytest.mark.parametrize("deleted", [False, True])
def test_what_our_own_dags_did_stays_behind(deleted: bool, source: Deployment, tmp_path: Path) -> None:
    """Also what is left of them when the DAG was deleted: its events and jobs."""
    counts = {table: rows for table, rows in source.counts().items() if not table.startswith("ab_")}
    source.execute(
        """
        insert into dag (dag_id, is_paused, is_active, max_active_tasks, max_consecutive_failed_dag_runs,
                         has_task_concurrency_limits) values ('mwaa_migrator_export', false, true, 16, 0, false);
        insert into dag_run (dag_id, run_id, execution_date, state, run_type, clear_number)
        values ('mwaa_migrator_export', 'ours', now(), 'running', 'manual', 0);
        insert into dag_run_note (dag_run_id, content, created_at, updated_at)
        select id, 'ours', now(), now() from dag_run where run_id = 'ours';
        insert into task_instance (dag_id, run_id, task_id, pool, pool_slots)
        values ('mwaa_migrator_export', 'ours', 'export', 'default_pool', 1);
        insert into xcom (dag_run_id, dag_id, run_id, task_id, key, timestamp)
        select id, dag_id, run_id, 'export', 'key', now() from dag_run where run_id = 'ours';
        insert into log (dttm, dag_id, task_id, event) values (now(), 'mwaa_migrator_export', 'export', 'running');
        insert into job (dag_id, state, job_type) values ('mwaa_migrator_import', 'running', 'LocalTaskJob')
        """
    )
    if deleted:
        source.execute("delete from dag_run where run_id = 'ours'; delete from dag where dag_id like 'mwaa%'")
    exported = source.succeed("export", "--to", str(tmp_path))
    assert {name: table["rows"] for name, table in exported["tables"].items()} == {
        name: counts[name] for name in exported["tables"]
    }


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--dags", "(unclosed"], "(unclosed"),
        (["--tables", "dag_run,no_such_table"], "no_such_table"),
        (["--exclude-tables", "no_such_table"], "no_such_table"),
        (["--tables", "serialized_dag"], "serialized_dag"),
        (["--exclude-tables", "alembic_version"], "alembic_version"),
    ],
)
def test_choices_that_cannot_be(arguments: list[str], fault: str, filled_source: Deployment, tmp_path: Path) -> None:
    refused = filled_source.run("export", "--to", str(tmp_path), *arguments)
    assert (refused.code, refused.error) == (2, "InvalidArguments")
    assert fault in refused.message
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("arguments", "set_aside"),
    [
        (["--tables", "variable,slot_pool"], []),
        (["--exclude-tables", "job,trigger,log_template,log"], QUEUE),
        (
            ["--exclude-tables", "dag_run"],
            sorted({*LINKS, *QUEUE} - {"dag_run"}),
        ),
        (
            ["--exclude-tables", "dataset"],
            ["dagrun_dataset_event", "dataset_alias_dataset", "dataset_alias_dataset_event", "dataset_dag_run_queue",
             "dataset_event"],
        ),
    ],
)  # fmt: skip
def test_chosen_tables(
    arguments: list[str], set_aside: list[str], filled_source: Deployment, used_target: Deployment, tmp_path: Path,
    copy_of: object,
) -> None:  # fmt: skip
    target = copy_of(used_target)  # type: ignore[operator]
    exported = filled_source.succeed("export", "--to", str(tmp_path), *arguments)["tables"]
    tables = target.succeed("import", "--from", str(tmp_path))["tables"]
    assert names(tables, "set_aside") == set_aside
    assert set(tables) == set(exported) - {"dag"}
    assert target.value(ASTRAY) == 0
    assert target.succeed("verify", "--from", str(tmp_path))["verified"]


def test_xcoms_can_come_later(filled_source: Deployment, target: Deployment, tmp_path: Path) -> None:
    filled_source.succeed("export", "--to", str(tmp_path), "--id", "first", "--exclude-tables", "xcom")
    filled_source.succeed("export", "--to", str(tmp_path), "--id", "later", "--tables", "xcom")
    target.execute("select setval('dag_run_id_seq', 5000)")
    target.succeed("import", "--from", str(tmp_path), "--id", "first")
    tables = target.succeed("import", "--from", str(tmp_path), "--id", "later")["tables"]
    assert tables["xcom"]["merged"] == tables["xcom"]["exported"] == 800
    query = """
        select count(*) from xcom x join dag_run r on r.id = x.dag_run_id
         where r.dag_id = x.dag_id and r.run_id = x.run_id
    """
    assert target.value(query) == 800
    for migration in ("first", "later"):
        assert target.succeed("verify", "--from", str(tmp_path), "--id", migration)["verified"]
    # An XCom that lies with another run is found, although it has the names of its own.
    target.execute(
        "insert into dag_run (dag_id, run_id, execution_date, state, run_type, clear_number) "
        "values ('mine', 'mine', now(), 'success', 'manual', 0);"
        "update xcom set dag_run_id = (select id from dag_run where dag_id = 'mine') "
        "where run_id = 'custom__1_3' and task_id = 'extract'"
    )
    verified = target.run("verify", "--from", str(tmp_path), "--id", "later").result["tables"]
    assert verified["xcom"]["missing"] == 1
