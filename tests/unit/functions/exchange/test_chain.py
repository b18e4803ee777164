"""What a target holds: a base and the deltas that follow it, over all attempts."""

from __future__ import annotations

from typing import Any

import pytest

import check_dag_run
import create_environment
import trigger_dag_run
import verify
from migration import errors
from migration.airflow import our_dags, runs
from migration.airflow.endpoint import Answer
from migration.aws import clients
from migration.exchange import chain
from migration.exchange.store import Store, of_artifact, of_attempt, of_bucket, of_migration
from tests.unit.functions.conftest import Commands, Environments, Handler
from tests.unit.functions.objects import Plan, next_attempt, table

BASE_EXPORT, BASE_IMPORT = (runs.of_step(dag, our_dags.BASE) for dag in (our_dags.EXPORT, our_dags.IMPORT))
REFRESH_EXPORT, REFRESH_IMPORT = (runs.of_step(dag, "refresh_1") for dag in (our_dags.EXPORT, our_dags.IMPORT))


def shared(planned: Plan) -> Store:
    return of_migration(clients.s3(), planned)  # type: ignore[arg-type]


def leave(planned: Plan, run: str, task: str, status: str = "done", **content: Any) -> None:
    """Leaves a result of a run as the engine does."""
    result = {"command": task, "status": status, "run_id": runs.run_id(planned, run), "seconds": 1.0, "error": None}  # type: ignore[arg-type]
    store = Store(clients.s3(), planned["bucket"], runs.artifact_of(planned, run))  # type: ignore[arg-type]
    store.write(f"{task}.json", {**result, **content})


def moved(planned: Plan, export: str, imported: str, **content: Any) -> None:
    """Leaves what a step of the migration leaves that has gone well."""
    leave(planned, export, "export", tables={}, unfinished={})
    leave(planned, imported, "import")
    leave(planned, imported, "verify", verified=True, tables={"dag_run": table()}, **content)


def given(commands: Commands) -> list[tuple[str, ...]]:
    return [command for command in commands.given if command[:2] == ("dags", "trigger")]


def test_a_delta_follows_what_was_verified_last(planned: Plan, commands: Commands, call: Handler) -> None:
    assert call(trigger_dag_run, migration=planned, dag=BASE_EXPORT)["created"]
    assert '"asBase": true' in " ".join(given(commands)[-1])
    moved(planned, BASE_EXPORT, BASE_IMPORT)
    assert call(check_dag_run, migration=planned, dag=BASE_EXPORT, waitedSeconds=0)["next"] == BASE_IMPORT
    assert call(verify, migration=planned, dag=BASE_IMPORT) == {"tables": 1, "rows": 10, "next": REFRESH_EXPORT}
    base = f"artifacts/{planned['id']}/{planned['id']}-base"
    assert chain.last(shared(planned)) == base
    assert call(trigger_dag_run, migration=planned, dag=REFRESH_EXPORT)["created"]
    assert f'"deltaOf": "s3://exchange/{base}"' in " ".join(given(commands)[-1])
    moved(planned, REFRESH_EXPORT, REFRESH_IMPORT)
    # As many as options.baseRefreshes.
    assert call(verify, migration=planned, dag=REFRESH_IMPORT)["next"] == our_dags.EXPORT
    assert call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT)["created"]
    assert f'"deltaOf": "s3://exchange/artifacts/{planned["id"]}/{planned["id"]}-refresh-1"' in " ".join(
        given(commands)[-1]
    )


@pytest.mark.parametrize(("seconds", "following"), [(59.0, our_dags.EXPORT), (61.0, "mwaa_migrator_export_refresh_2")])
def test_refreshes_end_with_a_short_one(planned: Plan, call: Handler, seconds: float, following: str) -> None:
    planned["options"]["baseRefreshes"] = 9
    moved(planned, REFRESH_EXPORT, REFRESH_IMPORT)
    leave(planned, REFRESH_EXPORT, "export", seconds=seconds - 2)
    assert call(verify, migration=planned, dag=REFRESH_IMPORT)["next"] == following


def test_a_rehearsal_takes_its_delta_at_once(planned: Plan, call: Handler) -> None:
    planned["mode"] = "rehearse"
    moved(planned, BASE_EXPORT, BASE_IMPORT)
    assert call(verify, migration=planned, dag=BASE_IMPORT)["next"] == our_dags.EXPORT


def test_after_a_roll_back_the_next_attempt_takes_a_delta_of_what_the_target_holds(
    planned: Plan, commands: Commands, call: Handler
) -> None:
    moved(planned, BASE_EXPORT, BASE_IMPORT)
    call(verify, migration=planned, dag=BASE_IMPORT)
    # The delta arrived and was verified; the attempt was rolled back before anybody had looked.
    call(trigger_dag_run, migration=planned, dag=our_dags.IMPORT)
    moved(planned, our_dags.EXPORT, our_dags.IMPORT)
    again = next_attempt(planned, call)
    for run in (BASE_EXPORT, BASE_IMPORT):
        assert not call(trigger_dag_run, migration=again, dag=run)["created"]
        assert call(check_dag_run, migration=again, dag=run, waitedSeconds=0)["ready"]
    assert call(verify, migration=again, dag=BASE_IMPORT)["next"] == REFRESH_EXPORT
    assert call(trigger_dag_run, migration=again, dag=REFRESH_EXPORT)["created"]
    assert f'"deltaOf": "s3://exchange/artifacts/{planned["id"]}"' in " ".join(given(commands)[-1])
    # It has not done a base of its own.
    names = [phase["name"] for phase in of_attempt(clients.s3(), again).phases()]  # type: ignore[arg-type]
    assert [name for name in names if "base" in name] == []


@pytest.mark.parametrize(
    ("imported", "verified", "message"),
    [
        (None, None, "was not seen to end"),
        ("done", None, "was not verified"),
        ("done", {"verified": False}, "was not verified"),
        ("done", {"verified": True, "changed_for_hop": []}, "mended for its upgrade"),
        ("failed", None, ""),
    ],
)
def test_a_target_of_which_nobody_knows_what_it_holds_is_used_no_more(
    planned: Plan,
    commands: Commands,
    call: Handler,
    imported: str | None,
    verified: dict[str, Any] | None,
    message: str,
) -> None:
    moved(planned, BASE_EXPORT, BASE_IMPORT)
    call(verify, migration=planned, dag=BASE_IMPORT)
    call(trigger_dag_run, migration=planned, dag=our_dags.IMPORT)
    if imported is not None:
        leave(planned, our_dags.IMPORT, "import", imported)
    if verified is not None:
        leave(planned, our_dags.IMPORT, "verify", **verified)
    again = next_attempt(planned, call)
    if not message:
        # One transaction: it is as it was.
        assert call(trigger_dag_run, migration=again, dag=REFRESH_EXPORT)["created"]
        assert chain.last(shared(again)) == f"artifacts/{planned['id']}/{planned['id']}-base"
        return
    for _ in range(2):
        with pytest.raises(errors.TargetUnfit, match=f"prod-3 is left from an earlier attempt.*{message}"):
            call(trigger_dag_run, migration=again, dag=BASE_EXPORT)


def test_a_target_that_was_made_again_holds_nothing(planned: Plan, mwaa: Environments, call: Handler) -> None:
    moved(planned, BASE_EXPORT, BASE_IMPORT)
    call(verify, migration=planned, dag=BASE_IMPORT)
    call(create_environment, migration=planned, phase="create target", files={"dags": "prod-3/dags"})
    assert not chain.has_base(shared(planned))


def test_a_difference_keeps_the_artifact_out_of_the_chain(planned: Plan, call: Handler) -> None:
    moved(planned, BASE_EXPORT, BASE_IMPORT)
    leave(planned, BASE_IMPORT, "verify", verified=True, tables={"dag_run": table(match=False)})
    with pytest.raises(errors.VerificationFailed):
        call(verify, migration=planned, dag=BASE_IMPORT)
    assert not chain.has_base(shared(planned))


def test_the_source_is_compared_before_the_delta_counts_as_verified(
    planned: Plan, commands: Commands, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_dag_run, "SECONDS", 0.0)
    moved(planned, our_dags.EXPORT, our_dags.IMPORT)
    event = {"migration": planned, "waitedSeconds": 0}
    assert call(check_dag_run, **event, dag=our_dags.IMPORT)["next"] == our_dags.COMPARE
    given_before = len(commands.given)
    assert not call(trigger_dag_run, migration=planned, dag=our_dags.COMPARE)["created"]
    # It is a task of the export's run.
    assert len(commands.given) == given_before
    commands.answers["tasks", "states-for-dag-run"] = Answer(True, '[{"task_id": "compare", "state": "failed"}]', "")
    error = {"name": "SourceChanged", "message": "The source has changed since m: 1 runs (etl r1)"}
    leave(planned, our_dags.COMPARE, "compare", "failed", error=error)
    with pytest.raises(errors.MigrationError, match=r"1 runs \(etl r1\)") as caught:
        call(check_dag_run, **event, dag=our_dags.COMPARE)
    assert type(caught.value).__name__ == "SourceChanged"
    leave(planned, our_dags.COMPARE, "compare", unchanged=True)
    assert call(check_dag_run, **event, dag=our_dags.COMPARE)["next"] == ""
    assert call(verify, migration=planned, dag=our_dags.COMPARE) == {"tables": 1, "rows": 10, "next": ""}


def test_a_rehearsal_has_no_paused_source_to_compare(planned: Plan, call: Handler) -> None:
    planned["mode"] = "rehearse"
    moved(planned, our_dags.EXPORT, our_dags.IMPORT)
    assert call(check_dag_run, migration=planned, dag=our_dags.IMPORT, waitedSeconds=0)["next"] == ""


def test_the_delta_of_this_attempt_is_its_own(planned: Plan) -> None:
    store, artifact = shared(planned), of_artifact(clients.s3(), planned)  # type: ignore[arg-type]
    for place in (artifact.prefix, f"{artifact.prefix}/{planned['id']}-base"):
        chain.begin(store, place)
        chain.settle(store, of_bucket(clients.s3(), planned), planned)  # type: ignore[arg-type]
        assert chain.read(store)["importing"] == place
