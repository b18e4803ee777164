"""Imports directly into Airflow 3: the rows of 2.10.3 in a database of 3.2.1 that has rows of its own."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sources.deployment import Deployment
from tests.integration.engine.astray import ASTRAY_IN_2
from tests.integration.engine.commands import kill, stopped, wait_for_phase
from tests.integration.engine.conftest import SOURCE, fill

AIRFLOW_3 = "3.2.1"

#: Tables that Airflow 3 calls otherwise.
RENAMED = {
    "dataset": "asset",
    "dataset_alias": "asset_alias",
    "dataset_alias_dataset": "asset_alias_asset",
    "dataset_alias_dataset_event": "asset_alias_asset_event",
    "dataset_dag_run_queue": "asset_dag_run_queue",
    "dataset_event": "asset_event",
    "dagrun_dataset_event": "dagrun_asset_event",
}

#: Rows whose reference does not lead to the row whose name they hold (see rows_2_10.sql), of the source's.
ASTRAY = {
    **{
        name: ASTRAY_IN_2[name]
        for name in (
            "task_instance.queued_by_job_id",
            "task_instance.trigger_id",
            "task_instance_history.queued_by_job_id",
            "xcom.dag_run_id",
            "dag_run_note.dag_run_id",
        )
    },
    "task_instance_note.ti_id": """
        task_instance_note n left join task_instance t on t.id = n.ti_id
         where t.id is null or (t.task_id, t.map_index) <> ('load', 2)""",
    "task_reschedule.ti_id": """
        task_reschedule r left join task_instance t on t.id = r.ti_id
         where t.id is null or t.task_id <> 'wait' or t.start_date > r.start_date""",
    "asset_event.asset_id": """
        asset_event t left join asset p on p.id = t.asset_id where p.uri is distinct from t.extra ->> 'uri'""",
    "dagrun_asset_event": """
        dagrun_asset_event t left join dag_run r on r.id = t.dag_run_id left join asset_event e on e.id = t.event_id
         where r.run_id is distinct from e.extra ->> 'caused' or r.dag_id is distinct from e.source_dag_id""",
}


class Merged(NamedTuple):
    target: Deployment
    before: dict[str, int]
    result: dict[str, Any]


@pytest.fixture(scope="module")
def world_source(new_deployment: Callable[..., Deployment]) -> Deployment:
    deployment = new_deployment(SOURCE)
    fill(deployment, "target", dags=2, runs=6)
    return deployment


@pytest.fixture(scope="module")
def artifact_for_3(filled_source: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("artifacts")
    filled_source.succeed("export", "--to", str(directory), "--id", "for_3", "--target-version", AIRFLOW_3)
    return directory / "for_3"


@pytest.fixture(scope="module")
def empty_3(new_deployment: Callable[..., Deployment]) -> Deployment:
    return new_deployment(AIRFLOW_3)


@pytest.fixture(scope="module")
def merged(
    new_deployment: Callable[..., Deployment],
    empty_3: Deployment,
    world_source: Deployment,
    artifact_for_3: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Merged:
    target = new_deployment(AIRFLOW_3, like=empty_3)
    directory = tmp_path_factory.mktemp("world")
    world_source.succeed("export", "--to", str(directory), "--id", "world")
    target.succeed("import", "--from", str(directory / "world"))
    before = target.counts()
    return Merged(target, before, target.succeed("import", "--from", str(artifact_for_3)))


def test_every_row_is_merged_or_accounted_for(filled_source: Deployment, merged: Merged) -> None:
    tables = merged.result["tables"]
    counts = filled_source.counts()
    renamed = {RENAMED.get(name, name): rows for name, rows in counts.items()}
    assert {name: table["exported"] for name, table in tables.items()} == {name: renamed[name] for name in tables}
    after = merged.target.counts()
    # The default template of runs without one is added to the source's own.
    counted = [name for name, table in tables.items() if table["merged"] and name != "log_template"]
    assert {name: after[name] - merged.before[name] for name in counted} == {
        name: tables[name]["merged"] for name in counted
    }
    assert {
        name: (table["kept"], table["set_aside_reasons"])
        for name, table in tables.items()
        if table["merged"] != table["exported"]
    } == {
        "log_template": (1, {}),
        "slot_pool": (1, {}),
        "asset_dag_run_queue": (0, {"its dag is not in the target": 2}),
        # Airflow 3 has no SLAs, and no failures beside the history of tries.
        "sla_miss": (0, {"the target's Airflow has no such table": 20}),
        "task_fail": (0, {"the target's Airflow has no such table": 40}),
    }
    assert merged.result["target"]["way_in"] == "airflow"


@pytest.mark.parametrize("reference", ASTRAY)
def test_a_reference_leads_to_the_row_that_it_led_to(merged: Merged, reference: str) -> None:
    table = reference.split(".")[0]
    assert merged.target.value(f"select count(*) from {table}") > 0
    assert merged.target.value(f"select count(*) from {ASTRAY[reference]}") == 0


def test_what_a_deferred_task_waits_for_is_the_same_in_json_and_jsonb(merged: Merged) -> None:
    query = (
        "select distinct next_kwargs::text from task_instance where dag_id like 'source%' and next_kwargs is not null"
    )
    assert merged.target.rows(query) == [('{"event": null}',)]


def test_verify_does_not_depend_on_keys_that_migrations_make_anew(merged: Merged, artifact_for_3: Path) -> None:
    verified = merged.target.succeed("verify", "--from", str(artifact_for_3))
    assert verified["verified"], verified
    with merged.target.cursor() as cursor:
        cursor.execute(
            "delete from task_instance_note where ti_id in (select id from task_instance where dag_id like 'source%')"
        )
        rows = cursor.rowcount
    missing = merged.target.run("verify", "--from", str(artifact_for_3)).result["tables"]
    assert {name: table["missing"] for name, table in missing.items() if not table["match"]} == {
        "task_instance_note": rows
    }


def test_rows_that_the_target_has_keep_their_keys_and_references_follow(
    copy_of: Callable[[Deployment], Deployment], empty_3: Deployment, filled_source: Deployment, tmp_path: Path
) -> None:
    target = copy_of(empty_3)
    for artifact in ("first", "second"):
        filled_source.succeed("export", "--to", str(tmp_path), "--id", artifact)
    target.succeed("import", "--from", str(tmp_path / "first"))
    keys = target.rows("select id from task_instance order by id")
    target.execute("delete from task_instance_note; delete from task_reschedule")
    again = target.succeed("import", "--from", str(tmp_path / "second"))["tables"]
    assert (again["task_instance"]["kept"], again["task_instance_note"]["merged"]) == (1000, 50)
    assert target.rows("select id from task_instance order by id") == keys
    for reference in ("task_instance_note.ti_id", "task_reschedule.ti_id"):
        assert target.value(f"select count(*) from {ASTRAY[reference]}") == 0


#: The server of the tests comes without extensions. Its bytes are known by their beginning.
PGCRYPTO = {
    "pgcrypto.control": "default_version = '1.0'\ntrusted = true\n",
    "pgcrypto--1.0.sql": """
        create function gen_random_bytes(integer) returns bytea language sql as
        $$ select '\\xababab'::bytea || substring(uuid_send(gen_random_uuid()) from 1 for $1 - 3) $$
        """,
}


@pytest.fixture
def with_pgcrypto(copy_of: Callable[[Deployment], Deployment], empty_3: Deployment) -> Iterator[Deployment]:
    """A target whose server has the extension pgcrypto, which its database has not made yet."""
    target = copy_of(empty_3)
    # The server's user must get there.
    with tempfile.TemporaryDirectory(prefix="extensions-") as directory:
        folder = Path(directory, "extension")
        folder.mkdir()
        for name, text in PGCRYPTO.items():
            (folder / name).write_text(text)
        Path(directory).chmod(0o755)
        target.execute(f"alter database {target.database} set extension_control_path = '{directory}:$system'")
        yield target


@pytest.mark.parametrize("is_made", [False, True])
def test_pgcrypto_is_as_it_was(is_made: bool, with_pgcrypto: Deployment, artifact_for_3: Path) -> None:
    """Airflow's migrations make it where it is missing, in the scratch schema, and look for its functions there."""
    target = with_pgcrypto
    if is_made:
        target.execute("create extension pgcrypto")
    query = "select extname, extnamespace::regnamespace::text from pg_extension where extname = 'pgcrypto'"
    imported = target.run("import", "--from", str(artifact_for_3))
    assert imported.code == 0, imported.message
    assert imported.result["tables"]["task_instance"]["merged"] == 1000
    assert target.rows("select distinct substring(id::text from 17 for 2) from task_instance") == [("ab",)]
    assert target.rows(query) == ([("pgcrypto", "public")] if is_made else [])
    assert target.scratch_schemas() == []


#: DAG versions of the target's own, of two of the source's DAGs.
VERSIONS = """
from airflow import settings
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
with settings.Session() as session:
    session.add(DagBundleModel(name="dags-folder"))
    session.flush()
    for dag in ("source_dag_1", "source_dag_2"):
        model = DagModel(dag_id=dag, bundle_name="dags-folder", is_stale=False)
        # Only some releases have it.
        model.timetable_type = ""
        session.add(model)
        session.flush()
        for number in (1, 2, 3):
            session.add(DagVersion(dag_id=dag, version_number=number, bundle_name="dags-folder"))
            session.commit()
print(3)
"""
#: Airflow's own view of the latest versions, and of what the task instances have.
LATEST = """
import json
from airflow import settings
from airflow.models.dag_version import DagVersion
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import select
with settings.Session() as session:
    has = session.execute(select(TaskInstance.dag_id, TaskInstance.dag_version_id).distinct()).all()
    latest = {dag: DagVersion.get_latest_version(dag, session=session) for dag, _ in has}
print(json.dumps([[dag, str(version), str(latest[dag] and latest[dag].id)] for dag, version in sorted(has)]))
"""


#: What is done after an upgrade in place.
GIVE = """
import json
from mwaa_migrator.merge.give_dag_versions import give_dag_versions
from mwaa_migrator.progress import Progress
print(json.dumps(give_dag_versions(Progress())))
"""


PICKLED = pickle.dumps({"an XCom": ["of a pickle"]}, 2)


class Writes:
    """Its pickle writes a file where it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "written")


@pytest.mark.parametrize("version", ["3.0.6", AIRFLOW_3, "3.3.1"])
def test_confs_are_plain_and_task_instances_have_the_targets_versions(
    version: str, source: Deployment, new_deployment: Callable[..., Deployment], tmp_path: Path
) -> None:
    written = tmp_path / "written"
    confs: list[tuple[Any, Any]] = [
        ({"a": [1, "ä"]}, {"a": [1, "ä"]}),
        ({"a": float("nan")}, {"a": "NaN"}),
        ({"a": (1, 2), 3: "b"}, {"a": [1, 2], "3": "b"}),
        ({"a": "\0"}, None),
        ({"a": "\ud800"}, None),
        ({"a": Writes(written)}, None),
    ]
    source.execute("update xcom set value = %s where dag_id = 'source_dag_1' and map_index = -1", (PICKLED,))
    runs = [
        f"select run_id from dag_run where dag_id = 'source_dag_1' order by id limit 1 offset {n}" for n in range(6)
    ]
    runs = [source.value(query) for query in runs]
    for run, (conf, _) in zip(runs, confs, strict=True):
        source.execute("update dag_run set conf = %s where run_id = %s", (pickle.dumps(conf), run))
    # The export need not refuse what the import mends.
    source.succeed("export", "--to", str(tmp_path), "--id", "confs", "--target-version", version)
    target = new_deployment(version)
    target.python(VERSIONS)
    imported = target.succeed("import", "--from", str(tmp_path / "confs"), "--pickled-xcoms", "archive")
    found = dict(target.rows("select run_id, conf from dag_run where dag_id = 'source_dag_1'"))
    assert [found[run] for run in runs] == [plain for _, plain in confs]
    assert not written.exists()
    # As an upgrade in place leaves them, for the owner of Airflow's tables to migrate again.
    assert imported["tables"]["xcom"]["set_aside_reasons"] == {
        "pickled; Airflow's migrations put it into _xcom_archive": 20
    }
    archived = """
        select count(*), min(tableowner) from _xcom_archive a join dag_run r on r.id = a.dag_run_id, pg_tables
         where (r.dag_id, r.run_id, a.value) = (a.dag_id, a.run_id, %s) and tablename = '_xcom_archive'
    """
    assert target.rows(archived, (PICKLED,)) == [
        (20, target.value("select tableowner from pg_tables where tablename = 'dag_run'"))
    ]
    assert [line for line in imported["changed_values"] if " run (" in line or " runs (" in line] == [
        f"1 run (source_dag_1 {runs[3]}): their conf was cleared, because it holds a NUL character",
        f"1 run (source_dag_1 {runs[4]}): their conf was cleared, because it holds half a character",
        f"1 run (source_dag_1 {runs[5]}): their conf was cleared, because it holds an object (pathlib.Path.write_text)",
        f"2 runs (source_dag_1 {runs[1]}, source_dag_1 {runs[2]}): their conf holds what JSON has no word for, and was "
        "made text or a list",
    ]
    assert imported["given_dag_version"] == 200
    versions = target.python(LATEST)
    assert [given == latest for _, given, latest in versions] == [True] * len(versions)
    assert {dag for dag, given, _ in versions if given != "None"} == {"source_dag_1", "source_dag_2"}
    assert target.succeed("verify", "--from", str(tmp_path / "confs"))["verified"]
    # As an upgrade in place leaves them. What is done already is not done again.
    target.execute("update task_instance set dag_version_id = null")
    assert [target.python(GIVE) for _ in range(2)] == [
        {"given_dag_version": given, "without_dag_version": 800} for given in (200, 0)
    ]
    assert target.python(LATEST) == versions


def test_a_source_below_the_targets_migrations_is_refused(empty_3: Deployment, old_artifact: Path) -> None:
    before = empty_3.content()
    refused = empty_3.run("import", "--from", str(old_artifact))
    assert (refused.error, refused.code) == ("SourceBelowMigrations", 3)
    assert refused.message == (
        "Airflow 3.2.1's own migrations do not know the source's revision da3f683c3a5a (Airflow 1.10.12). "
        "Migrate it through 2.11: import it into Airflow 2.11, and upgrade that."
    )
    assert (empty_3.content(), empty_3.scratch_schemas()) == (before, [])


def test_the_migrations_keep_no_index_that_they_do_not_name(
    new_deployment: Callable[..., Deployment], empty_3: Deployment, artifact_for_3: Path
) -> None:
    """Airflow 3 gives each task instance a key, and every index has to be written to for it."""
    target = new_deployment(AIRFLOW_3, like=empty_3)
    process = target.start("import", "--from", str(artifact_for_3))
    wait_for_phase(process, "upgrade")
    with stopped(process):
        (schema,) = target.scratch_schemas()
        made = "select indexname::text from pg_indexes where schemaname = %s and tablename = 'task_instance'"
        assert {name for (name,) in target.rows(made, [schema])} == {"task_instance_pkey", "ti_job_id"}
        options = "select reloptions from pg_class where oid = %s::regclass"
        assert target.value(options, [f"{schema}.task_instance"]) == ["fillfactor=45"]
    kill(process)
