"""What a delta takes: every unit of which any row has changed since its base, whatever changed it, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from sources.deployment import Deployment

RUN = ("source_dag_1", "none__1_1")
OTHER = ("source_dag_2", "none__2_1")


@pytest.fixture
def base(source: Deployment, tmp_path: Path) -> Path:
    source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base")
    return tmp_path / "base"


def changes_since(base: Path, source: Deployment, name: str = "delta") -> dict[str, Any]:
    """Those for which a delta was made."""
    source.succeed("export", "--to", str(base.parent), "--id", name, "--delta-of", str(base))
    return dict(json.loads((base.parent / name / "changes.json").read_text()))


@contextmanager
def transaction(source: Deployment) -> Iterator[psycopg2.extensions.cursor]:
    """An open transaction, committed at the end."""
    with closing(psycopg2.connect(source.dsn)) as connection:
        yield connection.cursor()
        connection.commit()


def test_nothing_has_changed(source: Deployment, base: Path) -> None:
    found = changes_since(base, source)
    assert found["tables"] == {}
    manifest = json.loads((base.parent / "delta" / "manifest.json").read_text())
    assert manifest["tables"]["task_instance"]["rows"] == manifest["tables"]["log"]["rows"] == 0
    assert manifest["tables"]["variable"]["rows"] > 0
    compared = source.succeed("compare-source", "--from", str(base))
    assert compared["unchanged"]


def test_each_table_has_its_units(base: Path) -> None:
    tables = json.loads((base / "manifest.json").read_text())["sums"]["tables"]
    kinds: dict[str, set[str]] = {}
    for name, entry in tables.items():
        kinds.setdefault(entry["unit"], set()).add(name)
    assert kinds["run"] == {
        "dag_run", "dag_run_note", "dagrun_dataset_event", "rendered_task_instance_fields", "task_fail",
        "task_instance", "task_instance_history", "task_instance_note", "task_map", "task_reschedule", "xcom",
    }  # fmt: skip
    assert kinds["block"] == {"dataset_event", "job", "log", "trigger"}
    assert tables["sla_miss"]["columns"] == ["task_id", "dag_id", "execution_date"]


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("dag_run", "update dag_run set state = 'failed' where (dag_id, run_id) = (%s, %s)"),
        ("task_instance", "update task_instance set pid = 7 where (dag_id, run_id) = (%s, %s) and task_id = 'load'"),
        ("xcom", "delete from xcom where (dag_id, run_id) = (%s, %s) and task_id = 'extract'"),
        (
            "task_map",
            "update task_map set length = 4 where (dag_id, run_id) = (%s, %s)",
        ),
        (
            "dag_run_note",
            "insert into dag_run_note (dag_run_id, content, created_at, updated_at) "
            "select id, 'new', now(), now() from dag_run where (dag_id, run_id) = (%s, %s)",
        ),
        (
            "task_instance_note",
            "insert into task_instance_note (dag_id, run_id, task_id, map_index, content, created_at, updated_at) "
            "values (%s, %s, 'load', 0, 'new', now(), now())",
        ),
    ],
)
def test_a_row_of_a_run(table: str, statement: str, source: Deployment, base: Path) -> None:
    source.execute(statement, RUN)
    found = changes_since(base, source)
    assert found["tables"] == {table: 1}
    assert (found["runs"], found["gone_runs"]) == ([list(RUN)], [])
    manifest = json.loads((base.parent / "delta" / "manifest.json").read_text())
    # The run goes whole, and no other run's rows.
    assert manifest["tables"]["dag_run"]["rows"] == 1
    assert manifest["tables"]["task_instance"]["rows"] == 5
    differs = source.run("compare-source", "--from", str(base))
    assert (differs.code, differs.error) == (4, "SourceChanged")
    assert " ".join(RUN) in differs.message
    assert source.succeed("compare-source", "--from", str(base.parent / "delta"))["unchanged"]


def test_a_run_that_is_gone(source: Deployment, base: Path) -> None:
    """A deletion leaves no row version that could be asked for its age."""
    source.execute("delete from dag_run where (dag_id, run_id) = (%s, %s)", RUN)
    found = changes_since(base, source)
    assert (found["runs"], found["gone_runs"]) == ([list(RUN)], [list(RUN)])


def test_a_transaction_that_was_open_at_the_base(source: Deployment, tmp_path: Path) -> None:
    """Also in a savepoint, whose row has a transaction number of its own."""
    with transaction(source) as cursor:
        cursor.execute("update task_instance set pid = 7 where (dag_id, run_id) = (%s, %s)", RUN)
        cursor.execute("savepoint inner_one")
        cursor.execute("update task_instance set pid = 7 where (dag_id, run_id) = (%s, %s)", OTHER)
        cursor.execute("release savepoint inner_one")
        source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base")
    found = changes_since(tmp_path / "base", source)
    assert found["runs"] == [list(RUN), list(OTHER)]


def test_rows_of_log_that_were_committed_late(source: Deployment, tmp_path: Path) -> None:
    """Their numbers are below those that the base has seen."""
    with transaction(source) as cursor:
        cursor.execute("insert into log (event) values ('late') returning id")
        ((late,),) = cursor.fetchall()
        source.execute("insert into log (event) values ('early')")
        source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base")
    assert source.value("select max(id) from log") > late
    found = changes_since(tmp_path / "base", source)
    assert found["blocks"]["log"] == [[str(late // 1000)]]
    assert found["runs"] == []


def test_jobs_are_compared_whole(source: Deployment, base: Path) -> None:
    source.execute("update job set latest_heartbeat = now() where id = (select min(id) from job)")
    found = changes_since(base, source)
    assert found["tables"] == {"job": 1}


def test_what_a_paused_source_goes_on_writing_is_named_and_no_difference(source: Deployment, base: Path) -> None:
    source.execute("update job set latest_heartbeat = now() where id = 1; update dag set last_parsed_time = now()")
    source.execute("insert into log (event) values ('cli')")
    compared = source.succeed("compare-source", "--from", str(base))
    assert compared["unchanged"]
    assert set(compared["changed_units"]["tables"]) == {"dag", "job", "log"}
    source.execute("update slot_pool set slots = slots + 1 where pool = 'default_pool'")
    assert source.run("compare-source", "--from", str(base)).error == "SourceChanged"


def test_rows_that_were_set_aside_are_no_difference(source: Deployment, tmp_path: Path) -> None:
    source.execute("alter table slot_pool alter column include_deferred drop not null")
    source.execute("update slot_pool set include_deferred = null where pool <> 'default_pool'")
    source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base", "--set-aside", "nulls")
    assert source.succeed("compare-source", "--from", str(tmp_path / "base"))["unchanged"]
    assert changes_since(tmp_path / "base", source)["tables"] == {}


def test_rows_that_the_target_does_not_take_are_looked_for_among_the_changed_ones(
    source: Deployment, tmp_path: Path
) -> None:
    source.execute("alter table task_instance alter column queue type text")
    source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base")
    source.execute("update task_instance set queue = repeat('q', 300) where (dag_id, run_id) = (%s, %s)", RUN)
    refused = source.run("export", "--to", str(tmp_path), "--id", "delta", "--delta-of", str(tmp_path / "base"))
    assert (refused.code, refused.error) == (3, "MigrationWouldFail")
    assert RUN[1] in refused.message


def test_a_row_that_breaks_a_rule_because_another_one_changed_is_found(source: Deployment, tmp_path: Path) -> None:
    """Two runs of one date; only the later one, which is new, is in a changed unit."""
    source.execute("alter table dag_run drop constraint dag_run_dag_id_execution_date_key")
    source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base")
    source.execute(
        "insert into dag_run (dag_id, run_id, run_type, execution_date, external_trigger, clear_number) "
        "select dag_id, 'again', run_type, execution_date, external_trigger, 0 "
        "from dag_run where (dag_id, run_id) = (%s, %s)",
        RUN,
    )
    refused = source.run("export", "--to", str(tmp_path), "--id", "delta", "--delta-of", str(tmp_path / "base"))
    assert (refused.code, refused.error) == (3, "MigrationWouldFail")


def test_checksums_are_those_of_an_export_without_sums(source: Deployment, base: Path, tmp_path: Path) -> None:
    """They are added up from the sums by unit, where there are any."""
    source.succeed("export", "--to", str(tmp_path), "--id", "ordinary")
    tables, ordinary = (
        json.loads((tmp_path / name / "manifest.json").read_text())["tables"] for name in ("base", "ordinary")
    )
    assert {name: (table["rows"], table["checksum"]) for name, table in tables.items()} == {
        name: (table["rows"], table["checksum"]) for name, table in ordinary.items()
    }


def test_settings_go_whole_and_the_changed_ones_are_known(source: Deployment, base: Path) -> None:
    source.execute(
        "update variable set description = 'new' where key = 'plain'; delete from variable where key = 'empty';"
        "update slot_pool set slots = slots + 1 where pool <> 'default_pool'"
    )
    found = changes_since(base, source)
    assert sorted(found["rows"]["variable"]) == [["empty"], ["plain"]]
    assert found["gone_rows"]["variable"] == [["empty"]]
    assert ["default_pool"] not in found["rows"]["slot_pool"]
    manifest = json.loads((base.parent / "delta" / "manifest.json").read_text())
    assert manifest["tables"]["variable"]["rows"] == source.value("select count(*) from variable")


def test_a_deltas_delta_has_what_changed_since_the_first(source: Deployment, base: Path) -> None:
    source.execute("update task_instance set pid = 7 where (dag_id, run_id) = (%s, %s)", RUN)
    assert changes_since(base, source, "first")["runs"] == [list(RUN)]
    source.execute("update task_instance set pid = 8 where (dag_id, run_id) = (%s, %s)", OTHER)
    assert changes_since(base.parent / "first", source, "second")["runs"] == [list(OTHER)]
    assert changes_since(base, source, "both")["runs"] == [list(RUN), list(OTHER)]


def test_a_base_cuts_history_at_the_same_time(source: Deployment, tmp_path: Path) -> None:
    source.succeed("export", "--to", str(tmp_path), "--id", "base", "--as-base", "--days", "5")
    base = json.loads((tmp_path / "base" / "manifest.json").read_text())
    assert changes_since(tmp_path / "base", source)["tables"] == {}
    assert json.loads((tmp_path / "delta" / "manifest.json").read_text())["history_since"] == base["history_since"]


def test_another_database_needs_a_new_base(
    source: Deployment, filled_source: Deployment, base: Path, tmp_path: Path
) -> None:
    refused = filled_source.run("export", "--to", str(tmp_path), "--delta-of", str(base))
    assert (refused.code, refused.error) == (3, "NewBaseNeeded")
    assert "another database" in refused.message


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"next_transaction": str(2**60)}, "restored to an earlier state"),
        ({"system_identifier": "1"}, "another database"),
    ],
)
def test_a_source_that_was_restored_needs_a_new_base(
    change: dict[str, str], reason: str, source: Deployment, base: Path, tmp_path: Path
) -> None:
    manifest = json.loads((base / "manifest.json").read_text())
    manifest["source_identity"].update(change)
    (base / "manifest.json").write_text(json.dumps(manifest))
    for command in (
        ("export", "--to", str(tmp_path), "--delta-of", str(base)),
        ("compare-source", "--from", str(base)),
    ):
        refused = source.run(*command)
        assert (refused.code, refused.error) == (3, "NewBaseNeeded")
        assert reason in refused.message
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["base"]


def test_a_changed_schema_needs_a_new_base(source: Deployment, base: Path, tmp_path: Path) -> None:
    source.execute("alter table log drop column owner_display_name")
    refused = source.run("export", "--to", str(tmp_path), "--delta-of", str(base))
    assert (refused.code, refused.error) == (3, "NewBaseNeeded")
    assert "log" in refused.message


def test_an_artifact_without_sums_is_no_base(source: Deployment, artifact: Path, tmp_path: Path) -> None:
    refused = source.run("export", "--to", str(tmp_path), "--delta-of", str(artifact))
    assert (refused.code, refused.error) == (3, "NotABase")


def test_a_delta_takes_its_choices_from_its_base(source: Deployment, base: Path, tmp_path: Path) -> None:
    refused = source.run("export", "--to", str(tmp_path), "--delta-of", str(base), "--days", "3")
    assert (refused.code, refused.error) == (2, "InvalidArguments")
