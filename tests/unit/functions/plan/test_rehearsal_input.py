"""A rehearsal made from a migration's input, with moto's S3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import prepare_rehearsal
from migration import errors
from migration.aws import clients
from migration.exchange.locks import Locks, Place
from migration.plan import migration_input, rehearsal_input
from tests.unit.functions.conftest import EXECUTION, Environments, Handler, document
from tests.unit.functions.exchange.test_locks import OTHER, Executions

EVENTS = Path(__file__).parents[4] / "events"


def without_name(**parts: Any) -> dict[str, Any]:
    return document(target={"airflowVersion": "3.2.1"}, **parts)


@pytest.mark.parametrize("source", ["a", "prod-2-10", "Prod_2" * 13, "x" * 80, "A_-_-_-_-_-_-_-_-_-_-_-_-_-_"])
def test_a_rehearsal_has_a_target_and_an_id_of_its_own(source: str) -> None:
    one, again, other = (
        rehearsal_input.of(without_name(source={"environment": source}), arn) for arn in (EXECUTION, EXECUTION, OTHER)
    )
    assert one == again
    name = one["target"]["environment"]
    assert name != other["target"]["environment"]
    assert one["migrationId"] != other["migrationId"]
    assert len(name) <= 80
    assert name.startswith(source[:50])
    assert rehearsal_input.is_target_name(name)
    assert migration_input.problems(one) == []
    assert one["mode"] == "rehearse"


@pytest.mark.parametrize("file", [*sorted(EVENTS.glob("*migrate*.json")), EVENTS / "rehearse.json"])
def test_the_input_of_a_migration_is_that_of_its_rehearsal(file: Path) -> None:
    given = json.loads(file.read_text())
    made = rehearsal_input.of(given, EXECUTION)
    assert made["target"] == given["target"]
    assert made.get("options") == given.get("options")
    assert made["mode"] == "rehearse"


def test_a_name_that_is_given_stays_and_is_none_of_ours() -> None:
    made = rehearsal_input.of(document(migrationId="mine"), EXECUTION)
    assert made["target"]["environment"] == "prod-3"
    assert not rehearsal_input.is_target_name("prod-3")
    assert made["migrationId"] != "mine", "the second one would find the first one's plan"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([], "InvalidType at the input"),
        ({}, "MissingField at source"),
        ({"source": [], "target": {}}, "InvalidType at source"),
        ({"source": {"environment": "4"}, "target": {}}, "InvalidValue at source.environment"),
        ({"source": {"environment": "a"}}, "MissingField at target"),
        ({"source": {"environment": "a"}, "target": {}}, "MissingField at target.airflowVersion"),
        ({"mode": "rollback", "migrationId": "abc"}, "MissingField at source"),
        (without_name(options={"breakLock": True}), "InvalidValue at options.breakLock"),
        (without_name(options={"quiesce": True}), "a rehearsal pauses nothing"),
        (without_name(options=3), "InvalidType at options"),
        ({"input": 3}, "UnknownField at input"),
        ({"input": "s3://somebodys/inputs/a.json"}, "does not lie under s3://exchange/inputs/"),
        ({"input": "migrations/plan.json"}, "does not lie under s3://exchange/inputs/"),
        ({"input": "inputs/damaged.json"}, "is not JSON"),
        ({"input": "inputs/binary.json"}, "is not JSON"),
    ],
)
def test_what_cannot_be_rehearsed(call: Handler, given: Any, problem: str) -> None:
    clients.s3().put_object(Bucket="exchange", Key="inputs/damaged.json", Body=b"{")
    clients.s3().put_object(Bucket="exchange", Key="inputs/binary.json", Body=b"\xff")
    with pytest.raises(errors.InvalidInput, match=problem):
        call(prepare_rehearsal, input=given)


@pytest.mark.parametrize("named", ["s3://exchange/inputs/prod.json", "inputs/prod.json"])
def test_an_input_in_the_exchange_bucket(call: Handler, named: str) -> None:
    body = json.dumps(without_name()).encode("utf-8-sig")
    with pytest.raises(errors.InputNotFound, match=r"s3://exchange/inputs/prod\.json does not exist"):
        call(prepare_rehearsal, input={"input": named})
    clients.s3().put_object(Bucket="exchange", Key="inputs/prod.json", Body=body)
    told = call(prepare_rehearsal, input={"input": named})
    assert told == {"migrationId": told["migrationId"], "input": rehearsal_input.of(without_name(), EXECUTION)}


@pytest.mark.usefixtures("mwaa")
def test_a_source_that_is_worked_on_is_not_rehearsed(
    planned: dict[str, Any], call: Handler, monkeypatch: pytest.MonkeyPatch, mwaa: Environments
) -> None:
    before = list(mwaa.calls)
    monkeypatch.setattr(clients, "states", lambda: Executions(EXECUTION))
    with pytest.raises(errors.EnvironmentLocked, match=planned["id"]):
        call(prepare_rehearsal, input=without_name())
    monkeypatch.setattr(clients, "states", lambda: Executions())
    assert call(prepare_rehearsal, input=without_name())["input"]["mode"] == "rehearse"
    assert mwaa.calls == before
    assert Locks(clients.s3(), "exchange").holder(Place("eu-west-1", "prod-2-10")) is not None
