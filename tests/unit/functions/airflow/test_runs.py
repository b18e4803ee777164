from __future__ import annotations

from typing import Any, cast

import pytest

from migration import errors
from migration.airflow import our_dags, runs
from migration.airflow.cli import RunState
from migration.model import Migration
from migration.plan.migration_input import schema

OPTIONS = {name: option["default"] for name, option in schema()["properties"]["options"]["properties"].items()}


def migration(**parts: Any) -> Migration:
    return cast(
        Migration,
        {
            "mode": "migrate",
            "artifactId": "m-2",
            "executionDate": "2026-11-22T10:00:00+00:00",
            "artifact": "s3://exchange/artifacts/m-2",
            "importVersion": "2.11.2",
            "hops": [],
            "wayIn": "worker",
            "source": {"environment": "old", "airflowVersion": "2.5.1"},
            "target": {"environment": "new", "airflowVersion": "3.2.1"},
            "options": OPTIONS,
        }
        | parts,
    )


def result(name: str, status: str = "done", **parts: Any) -> dict[str, Any]:
    return {"command": name, "status": status, "run_id": "r", "error": None} | parts


def test_a_run_is_named_after_the_attempt() -> None:
    assert runs.run_id(migration(), our_dags.EXPORT) == "mwaa_migrator_export__m-2"


def test_the_import_runs_in_the_target_before_the_hops() -> None:
    assert runs.side_of(migration(), our_dags.IMPORT)["environment"] == "new"
    assert runs.version_of(migration(), our_dags.IMPORT) == "2.11.2"
    for dag in (our_dags.EXPORT, our_dags.RESUME):
        assert runs.side_of(migration(), dag)["environment"] == "old"
        assert runs.version_of(migration(), dag) == "2.5.1"


def test_conf_of_the_export() -> None:
    assert runs.conf(migration(), our_dags.EXPORT) == {
        "artifact": "s3://exchange/artifacts/m-2",
        "options": {
            "dags": ".*",
            "xcoms": True,
            "skipUndecryptable": False,
            "targetVersion": "3.2.1",
            "quiesce": True,
            "drainSeconds": 900,
            "drainPolicy": "fail",
        },
    }


def test_a_probe_is_another_run_of_the_export_dag_that_pauses_nothing() -> None:
    probe, export = our_dags.PROBE, our_dags.EXPORT
    assert (runs.dag_of(probe), runs.run_id(migration(), probe)) == (export, "mwaa_migrator_probe__m-2")
    assert runs.side_of(migration(), probe) == runs.side_of(migration(), export)
    # Before 2.2 Airflow knows a run by its date.
    assert runs.date_of(migration(), probe) < runs.date_of(migration(), export) == migration()["executionDate"]
    conf, exports = runs.conf(migration(), probe), runs.conf(migration(), export)
    assert conf["artifact"] == "s3://exchange/artifacts/m-2/probe"
    assert conf["options"] == {**exports["options"], "quiesce": False, "probe": True}


def test_the_target_s_probe_is_another_run_of_the_import_dag_in_the_same_place() -> None:
    probe, imports = our_dags.TARGET_PROBE, our_dags.IMPORT
    assert (runs.dag_of(probe), runs.run_id(migration(), probe)) == (imports, "mwaa_migrator_target_probe__m-2")
    assert runs.side_of(migration(), probe)["environment"] == "new"
    assert runs.version_of(migration(importVersion="3.2.1"), probe) == "3.2.1"
    assert runs.date_of(migration(), probe) < runs.date_of(migration(), imports)
    conf = runs.conf(migration(), probe)
    # Where the source's probe has left what it has to know.
    assert conf["artifact"] == runs.conf(migration(), our_dags.PROBE)["artifact"]
    assert conf["options"]["probe"] is True


def test_after_the_hop_the_import_dag_has_a_run_that_gives_versions() -> None:
    gives, imports = our_dags.VERSIONS, our_dags.IMPORT
    assert (runs.dag_of(gives), runs.run_id(migration(), gives)) == (imports, "mwaa_migrator_versions__m-2")
    hopped = migration(importVersion="2.11.2")
    assert runs.version_of(hopped, gives) == hopped["target"]["airflowVersion"] != "2.11.2"
    # One run for each logical date.
    assert runs.date_of(migration(), gives) > runs.date_of(migration(), imports)
    assert runs.conf(migration(), gives) == {
        "artifact": "s3://exchange/artifacts/m-2/versions",
        "options": {"dagVersions": True},
    }


def test_the_import_dag_has_a_run_that_unpauses_at_the_final_version() -> None:
    unpauses, imports = our_dags.CUT_OVER, our_dags.IMPORT
    assert (runs.dag_of(unpauses), runs.run_id(migration(), unpauses)) == (imports, "mwaa_migrator_cut_over__m-2")
    hopped = migration(importVersion="2.11.2")
    assert runs.version_of(hopped, unpauses) == hopped["target"]["airflowVersion"] != "2.11.2"
    dates = [runs.date_of(migration(), run) for run in (imports, unpauses, our_dags.VERSIONS)]
    assert dates == sorted(set(dates))
    # It gets to the database as the import did.
    assert runs.conf(migration(wayIn="plugin"), unpauses) == {
        "artifact": "s3://exchange/artifacts/m-2/cut-over",
        "options": {"cutOver": True, "wayIn": "plugin"},
    }


def test_conf_of_the_import_leaves_all_paused() -> None:
    expected = {"onConflict": "keep", "pickledXComs": "convert", "pauseState": "all-paused"}
    assert runs.conf(migration(), our_dags.IMPORT)["options"] == expected


def test_an_import_before_a_hop_mends_the_rows_for_it() -> None:
    options = runs.conf(migration(hops=["3.0.6", "3.2.1"]), our_dags.IMPORT)["options"]
    assert options["hopVersion"] == "3.2.1"


@pytest.mark.parametrize("dag", [our_dags.TARGET_PROBE, our_dags.IMPORT])
def test_a_target_with_the_plugin_may_use_it(dag: str) -> None:
    assert runs.conf(migration(wayIn="auto"), dag)["options"]["wayIn"] == "auto"
    assert "wayIn" not in runs.conf(migration(wayIn="auto"), our_dags.EXPORT)["options"]
    assert "wayIn" not in runs.conf(migration(), dag)["options"]


def test_conf_of_resume_has_no_options() -> None:
    assert runs.conf(migration(), our_dags.RESUME)["options"] == {}


@pytest.mark.parametrize(
    ("parts", "quiesces"),
    [({}, True), ({"mode": "rehearse"}, False), ({"options": {**OPTIONS, "quiesce": False}}, False)],
)
def test_a_rehearsal_never_quiesces(parts: dict[str, Any], quiesces: bool) -> None:
    assert runs.conf(migration(**parts), our_dags.EXPORT)["options"]["quiesce"] is quiesces


@pytest.mark.parametrize(
    ("dag", "found", "complete"),
    [
        (our_dags.EXPORT, {}, False),
        (our_dags.EXPORT, {"quiesce": result("quiesce"), "drain": result("drain")}, False),
        (our_dags.EXPORT, {"export": result("export")}, True),
        (our_dags.EXPORT, {"export": result("export", "failed")}, False),
        (our_dags.IMPORT, {"import": result("import")}, False),
        (our_dags.IMPORT, {"import": result("import"), "verify": result("verify")}, True),
        (our_dags.RESUME, {"resume": result("resume")}, True),
    ],
)
def test_complete(dag: str, found: dict[str, dict[str, Any]], complete: bool) -> None:
    assert runs.is_complete(dag, found) is complete


FAILED = {"import": result("import", "failed", error={"name": "ArtifactDamaged", "message": "part 3"})}


@pytest.mark.parametrize(
    ("state", "found", "error", "says"),
    [
        ("failed", FAILED, "ArtifactDamaged", "import: part 3"),
        (None, FAILED, "ArtifactDamaged", "import: part 3"),
        ("failed", {}, "DagRunFailed", "failed without a result"),
        ("success", {}, "ResultMissing", "succeeded but its result is not"),
    ],
)
def test_judge_names_the_failure(state: str | None, found: dict[str, Any], error: str, says: str) -> None:
    with pytest.raises(errors.MigrationError, match=says) as caught:
        runs.judge(our_dags.IMPORT, "r", RunState(state), found)
    assert type(caught.value).__name__ == error


@pytest.mark.parametrize(("state", "found"), [("running", FAILED), ("running", {}), (None, {})])
def test_what_may_still_end_well_is_no_failure(state: str | None, found: dict[str, Any]) -> None:
    runs.judge(our_dags.IMPORT, "r", RunState(state), found)


@pytest.mark.parametrize("name", ["not a name", "lower", "", "x; y"])
def test_a_name_that_is_none_becomes_dag_run_failed(name: str) -> None:
    assert type(errors.named(name, "m")) is errors.DagRunFailed


def test_our_own_names_keep_their_class() -> None:
    assert type(errors.named("VerificationFailed", "m")) is errors.VerificationFailed
