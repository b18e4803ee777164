"""Base, refreshes and delta, told as one."""

from __future__ import annotations

from typing import Any

import pytest

from migration.airflow import our_dags, runs
from migration.aws import clients
from migration.exchange import chain
from migration.exchange.store import Store, of_artifact, of_bucket, of_migration
from migration.report import whole_history
from tests.unit.functions.objects import Plan, leave, table

BASE_EXPORT, BASE_IMPORT = (runs.of_step(dag, our_dags.BASE) for dag in (our_dags.EXPORT, our_dags.IMPORT))


def told(planned: Any) -> dict[str, Any]:
    s3 = clients.s3()
    artifact, shared, whole = (of(s3, planned) for of in (of_artifact, of_migration, of_bucket))
    return dict(whole_history.results(planned, artifact, shared, whole))


def leave_base(planned: Any, *, verified: bool = True, **content: Any) -> None:
    place = runs.artifact_of(planned, BASE_EXPORT)
    store = Store(clients.s3(), planned["bucket"], place)
    of_export = {"run_id": runs.run_id(planned, BASE_EXPORT), "status": "done", "seconds": 40.0}
    of_import = {"run_id": runs.run_id(planned, BASE_IMPORT), "status": "done", "seconds": 60.0}
    store.write("export.json", {**of_export, "set_aside": [{"table": "xcom"}], "unfinished": {"dag_runs": 4}})
    store.write("import.json", {**of_import, "without_parent": ["1 row of xcom", "2 rows of log"]})
    store.write("verify.json", {**of_import, "verified": verified, "tables": {"dag_run": table(match=verified)}})


@pytest.mark.parametrize("in_chain", [True, False])
def test_counts_add_up_and_the_delta_has_the_last_word(planned: Plan, in_chain: bool) -> None:
    leave_base(planned)
    if in_chain:
        store: Any = of_migration(clients.s3(), planned)  # type: ignore[arg-type]
        chain.end(store, runs.artifact_of(planned, BASE_IMPORT), mended=False)  # type: ignore[arg-type]
    leave(planned, our_dags.EXPORT, "export", set_aside=[], unfinished={"dag_runs": 0})
    leave(planned, our_dags.IMPORT, "import", without_parent=["1 row of xcom"])
    tables = {"dag_run": table(exported=3, merged=3, kept=0, set_aside=0), "log": table()}
    leave(planned, our_dags.IMPORT, "verify", verified=True, tables=tables)
    found = told(planned)
    assert found["export"]["set_aside"] == [{"table": "xcom"}]
    assert found["export"]["unfinished"] == {"dag_runs": 0}
    assert found["import"]["without_parent"] == ["1 row of xcom", "2 rows of log"]
    runs_of_both = {name: found["verify"]["tables"]["dag_run"][name] for name in ("exported", "merged", "match")}
    assert runs_of_both == {"exported": 13, "merged": 10, "match": True}
    assert (found["verify"]["verified"], found["verify"]["seconds"]) == (True, 1.0)


def test_without_its_delta_nothing_is_whole(planned: Plan) -> None:
    leave_base(planned)
    assert told(planned) == {"export": {}, "import": {}, "verify": {}}


def test_a_base_that_differs_is_told_all_the_same(planned: Plan) -> None:
    leave_base(planned, verified=False)
    verified = told(planned)["verify"]
    assert (verified["verified"], verified["tables"]["dag_run"]["match"]) == (False, False)
