"""The run that unpauses a target's DAGs: once, when it is asked, and not once its request is withdrawn."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from sources.deployment import Deployment

from .test_pausing import insert, paused
from .test_tasks import call, result

DAGS = [f"dag.{number}" for number in range(1, 51)]


@pytest.fixture(scope="module", params=["2.11.2", "3.2.1"])
def with_dags(request: pytest.FixtureRequest, new_deployment: Callable[..., Deployment]) -> Deployment:
    deployment = new_deployment(request.param)
    if deployment.installation.release >= (3,):
        deployment.execute("insert into dag_bundle (name) values ('x')")
    values = {"is_paused": "true", "is_active": "true", "is_stale": "false", "is_subdag": "false"}
    insert(deployment, "dag", "select 'dag.' || n as dag_id from generate_series(1, 60) n", dag_id="dag_id", **values)
    return deployment


@pytest.fixture
def target(with_dags: Deployment, copy_of: Callable[[Deployment], Deployment]) -> Deployment:
    return copy_of(with_dags)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cut-over").mkdir()
    return tmp_path / "cut-over"


def ask(folder: Path, dags: list[str], withdrawn: str | None = None) -> None:
    (folder / "request.part").write_text(json.dumps({"dags": dags, "withdrawn": withdrawn}))
    (folder / "request.part").rename(folder / "request.json")


def test_it_waits_for_its_request_and_does_it_once(target: Deployment, folder: Path) -> None:
    raised: list[Any] = []
    task = threading.Thread(target=lambda: raised.append(call(target, "import", folder, cutOver=True)))
    task.start()
    while not (folder / "begun.json").exists():
        time.sleep(0.1)
    assert json.loads((folder / "begun.json").read_text()) == {"run_id": "by hand"}
    everything = paused(target)
    time.sleep(1.0)
    assert task.is_alive()
    assert paused(target) == everything
    ask(folder, [*DAGS, "nowhere"])
    task.join()
    assert raised == [None]
    told = result(folder, "import")
    assert (told["dags"], told["unpaused"], told["unknown"], told["way_in"]) == (51, 50, ["nowhere"], "airflow")
    assert paused(target) == everything - set(DAGS)
    # Somebody pauses one since; another try of the task finds its receipt.
    target.execute("update dag set is_paused = true where dag_id = 'dag.7'")
    assert call(target, "import", folder, cutOver=True) is None
    assert result(folder, "import")["unpaused"] == 50
    assert paused(target) == {*(everything - set(DAGS)), "dag.7"}
    # The other task of its DAG does nothing, not even write.
    assert call(target, "verify", folder, cutOver=True) is None
    assert not (folder / "verify.json").exists()


def test_a_request_that_was_withdrawn_before_unpauses_nothing(target: Deployment, folder: Path) -> None:
    everything = paused(target)
    ask(folder, [], withdrawn="rolled back")
    name, message = call(target, "import", folder, cutOver=True)
    # For good: another try is of no use.
    assert name == "AirflowFailException"
    assert "withdrawn (rolled back)" in message
    assert result(folder, "import")["error"]["name"] == "CutOverWithdrawn"
    assert paused(target) == everything


def test_a_request_that_is_withdrawn_while_it_waits_for_locks_unpauses_nothing(
    target: Deployment, folder: Path
) -> None:
    everything = paused(target)
    ask(folder, DAGS)
    with closing(psycopg2.connect(target.dsn)) as other, other.cursor() as cursor:
        cursor.execute("select from dag where dag_id = 'dag.9' for update")
        raised: list[Any] = []
        task = threading.Thread(target=lambda: raised.append(call(target, "import", folder, cutOver=True)))
        task.start()
        waiting = "select count(*) from pg_stat_activity where application_name like 'mwaa_migrator cut over%' "
        while not target.value(waiting + "and wait_event_type = 'Lock'"):
            time.sleep(0.05)
        ask(folder, [], withdrawn="the CLI does it")
        other.rollback()
    task.join()
    assert raised[0][0] == "AirflowFailException"
    assert paused(target) == everything
    assert target.value("select to_regclass('mwaa_migrator.cut_overs')") is None
