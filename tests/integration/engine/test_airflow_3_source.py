"""Airflow 3 as a source: to the same or a newer 3.x, with the versions of its DAGs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psycopg2
import pytest
from mwaa_migrator.airflow_schema.references import surrogate_references
from mwaa_migrator.airflow_schema.tables import reason_not_exported
from mwaa_migrator.postgres.read_tables import read_tables

from sources import rows_by_sql
from sources.deployment import Deployment

# Private, because every source would be made again if its module changed.
from sources.seed import _fill_empty_tables
from tests.integration.engine.commands import names
from tests.integration.engine.conftest import fill

#: Sources and targets. Each release of the targets has a rule of its own for what the latest version of a DAG is.
PAIRS = (("3.0.6", "3.0.6"), ("3.0.6", "3.3.1"), ("3.2.1", "3.2.1"))

#: Rows whose reference does not lead to the row whose name they hold (see rows_3.sql).
ASTRAY = {
    "task_instance.dag_version_id": """
        task_instance t left join dag_version v on v.id = t.dag_version_id
         where v.bundle_version is distinct from t.custom_operator_name""",
    "task_instance_history.dag_version_id": """
        task_instance_history t left join dag_version v on v.id = t.dag_version_id
         where v.bundle_version is distinct from t.custom_operator_name""",
    "dag_run.created_dag_version_id": """
        dag_run t left join dag_version v on v.id = t.created_dag_version_id
         where v.bundle_version is distinct from t.bundle_version""",
    "serialized_dag.dag_version_id": """
        serialized_dag t join dag_version v on v.id = t.dag_version_id
         where v.bundle_version <> t.data ->> 'dag'""",
    "dag_code.dag_version_id": """
        dag_code t join dag_version v on v.id = t.dag_version_id where v.bundle_version <> t.source_code""",
    "dag_run.backfill_id": """
        dag_run t join backfill b on b.id = t.backfill_id
         where b.reprocess_behavior <> t.dag_id || ' ' || t.logical_date""",
    "backfill_dag_run": """
        backfill_dag_run t join backfill b on b.id = t.backfill_id join dag_run r on r.id = t.dag_run_id
         where b.id is distinct from r.backfill_id""",
}

#: Airflow's own view of the latest version of each DAG: of the versions, the serialized DAGs and the code.
LATEST = """
import json
from airflow import settings
from airflow.models.dag_version import DagVersion
from airflow.models.dagcode import DagCode
from airflow.models.serialized_dag import SerializedDagModel
with settings.Session() as session:
    latest = {}
    for (dag,) in session.query(DagVersion.dag_id).distinct():
        version = DagVersion.get_latest_version(dag, session=session)
        serialized = SerializedDagModel.get(dag, session=session)
        code = DagCode.get_latest_dagcode(dag, session=session)
        latest[dag] = [str(one) for one in (version.id, serialized.dag_version_id, code.dag_version_id)]
print(json.dumps(latest))
"""

#: What no row of SQL's own making must stand for, because it would have to be encrypted.
SETTINGS = """
insert into variable (key, val, is_encrypted) values ('in clear', 'value', false);
insert into connection (conn_id, conn_type, is_encrypted, is_extra_encrypted) values ('in clear', 'http', false, false);
"""

USER = "insert into ab_user (id, first_name, last_name, username, email) values (%s, 'A', 'O', 'anne', 'a@example.com')"

#: Two DAGs that a target has parsed.
PARSED = """
insert into dag_bundle (name) values ('dags-folder');
insert into dag (dag_id, bundle_name, is_paused, is_stale, max_active_tasks, max_consecutive_failed_dag_runs,
                 has_task_concurrency_limits{})
select 'source_dag_' || d, 'dags-folder', true, false, 16, 0, false{} from generate_series(1, 2) d
"""

#: Columns of ``dag`` that a release demands beyond the others, and their values.
NOT_NULL = {
    "3.0.6": ("", ""),
    "3.2.1": (", timetable_type", ", ''"),
    "3.3.1": (", timetable_type, partition_mapper_info", ", '', '[]'::json"),
}


class Worlds(NamedTuple):
    source: Deployment
    target: Deployment


@pytest.fixture(scope="module")
def history_of_2(new_deployment: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact of 2.10.3, which fills the databases of these tests."""
    deployment = new_deployment("2.10.3")
    fill(deployment, "source", dags=6, runs=8)
    directory = tmp_path_factory.mktemp("artifacts")
    deployment.succeed("export", "--to", str(directory), "--id", "history")
    return directory / "history"


@pytest.fixture(scope="module")
def filled(new_deployment: Callable[..., Deployment], history_of_2: Path) -> Callable[[str], Deployment]:
    """Makes a source of a version, with a row in every table that it has."""
    made: dict[str, Deployment] = {}

    def fill_once(version: str) -> Deployment:
        if version not in made:
            source = new_deployment(version)
            source.succeed("import", "--from", str(history_of_2), "--pause-state", "source")
            deploy(source, "first")
            source.execute(SETTINGS)
            if version != "3.0.6":
                # Whoever has parsed a DAG says how long it took, in a column that 2.x does not have.
                source.execute("update dag set last_parse_duration = 0.5")
            with closing(psycopg2.connect(source.dsn)) as connection, connection, connection.cursor() as cursor:
                _fill_empty_tables(cursor)
            made[version] = source
        return made[version]

    return fill_once


def deploy(deployment: Deployment, version: str) -> None:
    """New versions of DAGs 1 to 4, by which runs without a version have run."""
    deployment.execute(rows_by_sql.AIRFLOW_3, {"dags": "^source_dag_[1-4]$", "version": version})


@pytest.fixture(params=PAIRS, ids="-".join)
def worlds(
    request: pytest.FixtureRequest,
    filled: Callable[[str], Deployment],
    copy_of: Callable[[Deployment], Deployment],
    new_deployment: Callable[..., Deployment],
) -> Worlds:
    """A source, and a new target that has parsed two of its DAGs before the source was deployed to once more."""
    from_version, to_version = request.param
    target = new_deployment(to_version)
    target.execute(PARSED.format(*NOT_NULL[to_version]))
    deploy(target, "own")
    source = copy_of(filled(from_version))
    deploy(source, "second")
    if from_version == "3.2.1":
        source.execute(USER, (4711,))
        source.execute("update dag_favorite set user_id = '4711'")
        target.execute(USER, (12,))
    return Worlds(source, target)


def test_every_row_arrives_and_old_runs_keep_their_versions(worlds: Worlds, tmp_path: Path) -> None:
    source, target = worlds
    exported = source.succeed("export", "--to", str(tmp_path), "--id", "first")
    counts = source.counts()
    assert {name: table["rows"] for name, table in exported["tables"].items()} == {
        name: rows for name, rows in counts.items() if name not in exported["not_exported"]
    }
    assert not {"dag_version", "dag_bundle", "serialized_dag", "dag_code", "variable"} & set(exported["not_exported"])
    assert "not a table of this Airflow" not in exported["not_exported"].values()
    imported = target.succeed("import", "--from", str(tmp_path / "first"), "--pause-state", "source")
    assert names(imported["tables"], "set_aside") == []
    # What the target's Airflow has made as well.
    assert names(imported["tables"], "kept") == ["dag_bundle", "log_template", "slot_pool"]
    for reference, astray in ASTRAY.items():
        assert target.value(f"select count(*) from {astray}") == 0, reference
    if source.installation.version == "3.2.1":
        assert target.rows("select user_id from dag_favorite") == [("12",)]
    require_own_latest(target)
    # Numbered as in the source, and the target's own above.
    query = "select dag_id, version_number, bundle_version from dag_version where bundle_version not like 'own%'"
    assert set(target.rows(query)) == set(source.rows(query))
    assert target.rows(
        "select dag_id, array_agg(version_number order by version_number) from dag_version "
        "where bundle_version like 'own%' group by 1 order by 1"
    ) == [("source_dag_1", [7, 8, 9]), ("source_dag_2", [7, 8, 9])]
    verified = target.succeed("verify", "--from", str(tmp_path / "first"))
    assert verified["verified"], verified
    # Again, with what the source has deployed since the first export.
    deploy(source, "third")
    source.succeed("export", "--to", str(tmp_path), "--id", "second")
    again = target.succeed("import", "--from", str(tmp_path / "second"), "--pause-state", "source")
    assert again["tables"]["dag_version"]["merged"] == 12
    assert set(target.rows(query)) == set(source.rows(query))
    require_own_latest(target)
    if source.installation != target.installation:
        # Another upgrade would cost more than it shows.
        return
    assert target.succeed("verify", "--from", str(tmp_path / "second"))["verified"]
    target.execute("delete from dag_code where source_code = 'second source_dag_3 1'")
    missing = target.run("verify", "--from", str(tmp_path / "second")).result["tables"]
    assert {name: table["missing"] for name, table in missing.items() if not table["match"]} == {"dag_code": 1}


def require_own_latest(target: Deployment) -> None:
    latest = target.python(LATEST)
    own = {dag: version for dag, version in latest.items() if dag in ("source_dag_1", "source_dag_2")}
    query = "select dag_id, id::text from dag_version where bundle_version = 'own ' || dag_id || ' 3'"
    assert own == {dag: [version] * 3 for dag, version in target.rows(query)}
    assert len(latest) == 4


@pytest.mark.parametrize("version", ["3.0.6", "3.2.1", "3.3.1"])
def test_every_number_that_leads_to_another_row_is_known(
    version: str, new_deployment: Callable[..., Deployment]
) -> None:
    """A column of that name that no foreign key declares must be listed, or it would lead to a row of the source's."""
    with closing(psycopg2.connect(new_deployment(version).dsn)) as connection:
        tables = read_tables(connection, "public")
    unknown = [
        f"{table.name}.{column.name}"
        for table in tables.values()
        for column in table.columns
        if column.name.endswith("_id")
        and column.type in ("integer", "bigint")
        and reason_not_exported(table.name, table.column_names) is None
        and column.name not in surrogate_references(table, tables)
    ]
    assert unknown == []


#: How a row of each table leads to its run, r.
LINKS = {
    "dag_run": "dag_run t on t.id = r.id",
    "task_instance": "task_instance t using (dag_id, run_id)",
    "task_instance_history": "task_instance_history t using (dag_id, run_id)",
    "task_instance_note": "task_instance i using (dag_id, run_id) join task_instance_note t on t.ti_id = i.id",
    "task_reschedule": "task_instance i using (dag_id, run_id) join task_reschedule t on t.ti_id = i.id",
    "hitl_detail": "task_instance i using (dag_id, run_id) join hitl_detail t on t.ti_id = i.id",
    "deadline": "deadline t on t.dagrun_id = r.id",
    "xcom": "xcom t on t.dag_run_id = r.id",
    "dagrun_asset_event": "dagrun_asset_event t on t.dag_run_id = r.id",
}


def test_rows_follow_their_runs(
    filled: Callable[[str], Deployment], new_deployment: Callable[..., Deployment], tmp_path: Path
) -> None:
    source, target = filled("3.2.1"), new_deployment("3.2.1")
    cut = ["--days", "4", "--dags", "source_dag_[12]"]
    exported = source.succeed("export", "--to", str(tmp_path), "--id", "cut", *cut)["tables"]
    inside = (
        "r.dag_id ~ '^source_dag_[12]$' and (r.state not in ('success', 'failed') "
        "or r.end_date >= now() - interval '4 days')"
    )
    assert {name: exported[name]["rows"] for name in LINKS} == {
        name: source.value(f"select count(*) from dag_run r join {link} where {inside}") for name, link in LINKS.items()
    }
    assert 0 < exported["task_reschedule"]["rows"] < source.value("select count(*) from task_reschedule")
    of_dags = "select count(*) from dag_version where dag_id ~ '^source_dag_[12]$'"
    assert exported["dag_version"]["rows"] == source.value(of_dags)
    tables = target.succeed("import", "--from", str(tmp_path / "cut"), "--pause-state", "source")["tables"]
    # Its user is not in the target.
    assert names(tables, "set_aside") == ["dag_favorite"]
    assert target.succeed("verify", "--from", str(tmp_path / "cut"))["verified"]
