"""Plan: what is planned, and what is refused."""

from __future__ import annotations

import json

import pytest

import plan
from migration import errors
from migration.aws import clients
from migration.environments import environment
from migration.exchange.store import of_attempt
from tests.unit.functions.conftest import ROLE, Environments, Handler, document
from tests.unit.functions.objects import Plan


def test_plan(planned: Plan) -> None:
    identity = planned["id"]
    assert planned["path"] == ["2.10.3", "2.11.2", "3.2.1"]
    assert (planned["importVersion"], planned["hops"]) == ("2.11.2", ["3.2.1"])
    assert planned["artifact"] == f"s3://exchange/artifacts/{identity}"
    assert planned["source"] == {
        "environment": "prod-2-10",
        "region": "eu-west-1",
        "airflowVersion": "2.10.3",
        "executionRoleArn": ROLE,
        "bucket": "dags",
        "dagsPath": "dags",
    }
    assert planned["target"]["dagsPath"] == "prod-3/dags"
    assert len(json.dumps(planned)) < 4096


def test_a_plan_goes_directly_where_the_target_takes_the_source(mwaa: Environments, call: Handler) -> None:
    direct = call(plan, input=document(options={"path": "auto"}))
    assert (direct["path"], direct["importVersion"]) == (["2.10.3", "3.2.1"], "3.2.1")
    assert (direct["hops"], direct["direct"]) == ([], True)
    mwaa.all["prod-2-10"]["AirflowVersion"] = "2.5.1"
    older = call(plan, input=document(options={"path": "auto"}, migrationId="older"))
    assert (older["path"], older["direct"]) == (["2.5.1", "2.11.2", "3.2.1"], False)


def test_the_plan_names_what_the_sdk_could_not_read(
    mwaa: Environments, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "unread_fields", lambda client, name: [f"{name}.NewField"])
    (note,) = call(plan, input=document())["notes"]
    assert note.startswith("The source has prod-2-10.NewField, which this AWS SDK (1.")
    assert note.endswith("set it in the target by hand, or update the SDK.")


def test_the_same_input_goes_on(planned: Plan, mwaa: Environments, call: Handler) -> None:
    of_attempt(clients.s3(), planned).end_phase("verify")  # type: ignore[arg-type]
    mwaa.all["prod-2-10"]["Status"] = "UPDATING"
    again = call(plan, input=document(options={"pollSeconds": 5}))
    assert again["finished"] == ["plan", "verify"]
    assert again["options"]["pollSeconds"] == 5
    assert again == {**planned, "finished": again["finished"], "options": again["options"]}


def test_after_a_roll_back_the_same_input_is_a_new_attempt(planned: Plan, call: Handler) -> None:
    of_attempt(clients.s3(), planned).write("rolled_back.json", {})  # type: ignore[arg-type]
    again = call(plan, input=document())
    assert (again["id"], again["attempt"], again["artifactId"]) == (planned["id"], 2, f"{planned['id']}-2")
    assert again["finished"] == []


def test_another_input_under_the_same_id_is_refused(mwaa: Environments, call: Handler) -> None:
    call(plan, input=document(migrationId="sunday"))
    with pytest.raises(errors.InputChanged, match="sunday was planned with another input"):
        call(plan, input=document(migrationId="sunday", options={"xcoms": False}))


def test_an_invalid_input_is_refused_with_every_fault(call: Handler) -> None:
    with pytest.raises(errors.InvalidInput, match=r"MissingField at target: .*; UnknownField at options\.pol: "):
        call(plan, input={"source": {"environment": "a"}, "options": {"pol": 1}})


def test_a_target_in_another_region_needs_what_is_regional(mwaa: Environments, call: Handler) -> None:
    target = {"environment": "prod-3", "airflowVersion": "3.2.1", "region": "eu-central-1"}
    with pytest.raises(errors.PreconditionsFailed, match=r"(?s)NetworkConfiguration.*SourceBucketArn"):
        call(plan, input=document(target=target))


def test_several_preconditions_are_told_together(mwaa: Environments, call: Handler) -> None:
    mwaa.all["prod-2-10"]["Status"] = "UPDATING"
    target = {"environment": "prod-3", "airflowVersion": "2.9.2", "overrides": {"Nope": 1}}
    with pytest.raises(errors.PreconditionsFailed, match=r"SourceNotAvailable.*Downgrade.*UnknownOverride"):
        call(plan, input=document(target=target))
