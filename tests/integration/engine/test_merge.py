"""The merge into a target that has rows of its own, so that every surrogate key has to move."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sources.deployment import Deployment
from tests.integration.engine.astray import ASTRAY_IN_2
from tests.integration.engine.conftest import fill

#: What an export leaves out, by design or because the target fills it itself.
NOT_MERGED = {
    "dag", "alembic_version", "callback_request", "dag_code", "dag_owner_attributes", "dag_pickle",
    "dag_priority_parsing_request", "dag_schedule_dataset_alias_reference", "dag_schedule_dataset_reference",
    "dag_tag", "dag_warning", "import_error", "serialized_dag", "session", "task_outlet_dataset_reference",
}  # fmt: skip

#: The file name of the template that a run's log has, by the kind that its run_id tells.
TEMPLATES = """
    select split_part(r.run_id, '__', 1), array_agg(distinct t.filename)
      from dag_run r left join log_template t on t.id = r.log_template_id where r.dag_id like 'source%' group by 1
"""

SEQUENCES = """
    select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
       and pg_get_serial_sequence(c.relname, a.attname) is not null and c.relname not like 'ab%'
"""


class Merged(NamedTuple):
    target: Deployment
    before: dict[str, int]
    result: dict[str, Any]


@pytest.fixture(scope="module")
def merged(new_deployment: Callable[..., Deployment], used_target: Deployment, artifact: Path) -> Merged:
    target = new_deployment(used_target.installation.version, like=used_target)
    before = target.counts()
    return Merged(target, before, target.succeed("import", "--from", str(artifact)))


def test_the_source_has_rows_in_every_exported_table(filled_source: Deployment, artifact: Path) -> None:
    exported = filled_source.run("inspect", "--from", str(artifact)).result["tables"]
    assert {name for name, table in exported.items() if not table["rows"]} == set()
    counts = {name: rows for name, rows in filled_source.counts().items() if not name.startswith("ab_")}
    assert set(exported) == set(counts) - NOT_MERGED | {"dag"}
    assert {name: table["rows"] for name, table in exported.items()} == {name: counts[name] for name in exported}


def test_every_row_is_merged_or_accounted_for(merged: Merged) -> None:
    tables = merged.result["tables"]
    after = merged.target.counts()
    assert {name: after[name] - merged.before[name] for name in tables if name != "log_template"} == {
        name: table["merged"] for name, table in tables.items() if name != "log_template"
    }
    not_merged = {
        name: (table["kept"], table["set_aside_reasons"])
        for name, table in tables.items()
        if table["merged"] != table["exported"]
    }
    assert not_merged == {
        "log_template": (1, {}),
        "slot_pool": (1, {}),
        # The queue belongs to DAGs that the target has not parsed.
        "dataset_dag_run_queue": (0, {"its dag is not in the target": 2}),
    }
    assert all(table["match"] for table in tables.values())


@pytest.mark.parametrize("reference", ASTRAY_IN_2)
def test_a_reference_leads_to_the_row_that_it_led_to(merged: Merged, reference: str) -> None:
    assert merged.target.value(f"select count(*) from {ASTRAY_IN_2[reference]}") == 0


def test_the_targets_own_rows_are_as_they_were(merged: Merged, used_target: Deployment) -> None:
    own = {
        table: f"select * from {table} t where {column} like 'target%' order by t::text"
        for table, column in [
            ("dag_run", "dag_id"),
            ("task_instance", "dag_id"),
            ("job", "hostname"),
            ("xcom", "dag_id"),
        ]
    }
    for query in own.values():
        assert merged.target.rows(query) == used_target.rows(query)


def test_notes_keep_an_author_that_the_target_knows_only(merged: Merged) -> None:
    query = "select count(user_id) from task_instance_note where dag_id like 'source%'"
    assert merged.target.value(query) == 0


def test_an_author_is_matched_by_user_name(used_target: Deployment, copy_of: Any, artifact: Path) -> None:
    target = copy_of(used_target)
    target.execute("update ab_user set username = 'source_author'")
    target.succeed("import", "--from", str(artifact), "--jobs", "1")
    query = """
        select count(user_id), count(distinct user_id), min(user_id) = (select id from ab_user)
          from {} where {}
    """
    assert target.rows(query.format("task_instance_note", "dag_id like 'source%'")) == [(50, 1, True)]
    assert target.rows(
        query.format("dag_run_note", "dag_run_id in (select id from dag_run where dag_id like 'source%')")
    )[0] == (30, 1, True)


def test_sequences_stand_above_the_maximum(merged: Merged) -> None:
    for table, key in merged.target.rows(SEQUENCES):
        highest = merged.target.value(f'select coalesce(max("{key}"), 0) from "{table}"')
        assert merged.target.value("select nextval(pg_get_serial_sequence(%s, %s))", (table, key)) > highest, table


def test_a_run_has_the_log_template_of_the_source(merged: Merged, filled_source: Deployment) -> None:
    kinds: dict[Any, Any] = dict(filled_source.rows(TEMPLATES))
    first = filled_source.value("select filename from log_template order by id limit 1")
    assert kinds["none"] == [None]
    assert dict(merged.target.rows(TEMPLATES)) == {**kinds, "none": [first]}


def test_new_runs_get_the_targets_own_log_template(merged: Merged, used_target: Deployment) -> None:
    newest = "select filename, elasticsearch_id from log_template order by id desc limit 1"
    assert merged.target.rows(newest) == used_target.rows(newest)


def test_the_same_import_again_changes_nothing(merged: Merged, artifact: Path) -> None:
    before = merged.target.content()
    again = merged.target.succeed("import", "--from", str(artifact))
    assert again["already_imported"]
    assert again["tables"] == merged.result["tables"]
    assert merged.target.content() == before


def test_verify_agrees(merged: Merged, artifact: Path) -> None:
    before = merged.target.content()
    verified = merged.target.succeed("verify", "--from", str(artifact))
    assert verified["verified"]
    assert {
        name for name, table in verified["tables"].items() if table["checksum_source"] != table["checksum_target"]
    } <= {"dataset_dag_run_queue"}
    assert merged.target.content() == before
    assert merged.target.scratch_schemas() == []


def test_another_artifact_under_the_same_id_is_refused(merged: Merged, source: Deployment, tmp_path: Path) -> None:
    source.succeed("export", "--to", str(tmp_path), "--id", "whole", "--tables", "variable")
    before = merged.target.content()
    refused = merged.target.run("import", "--from", str(tmp_path))
    assert (refused.code, refused.error) == (3, "ArtifactChanged")
    assert merged.target.content() == before


def test_a_second_migration_brings_what_is_new_only(
    merged: Merged, source: Deployment, copy_of: Any, tmp_path: Path
) -> None:
    """Also in the tables whose rows no key identifies: log, job, task_fail, task_reschedule."""
    target = copy_of(merged.target)
    fill(source, "later", dags=1, runs=3)
    # A row that is there twice, one of them since the first export.
    source.execute(
        "insert into log (dttm, event, extra) select dttm, event, extra from log where event = 'source cli' limit 1"
    )
    source.succeed("export", "--to", str(tmp_path), "--id", "second")
    before = target.counts()
    result = target.succeed("import", "--from", str(tmp_path))
    grown = {name: rows - before[name] for name, rows in target.counts().items() if rows != before[name]}
    now = source.counts()
    expected = {name: now[name] - table["exported"] for name, table in merged.result["tables"].items()}
    del expected["dataset_dag_run_queue"]
    # The target's own newest template is repeated after the source's new one, to stay the newest.
    expected["log_template"] += 1
    assert grown == {name: rows for name, rows in expected.items() if rows}
    assert {name for name, table in result["tables"].items() if table["kept_differing"]} == set()
    for reference, astray in ASTRAY_IN_2.items():
        assert target.value(f"select count(*) from {astray}") == 0, reference
    assert target.succeed("verify", "--from", str(tmp_path))["verified"]
