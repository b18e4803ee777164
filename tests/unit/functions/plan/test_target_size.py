"""How large a rehearsal's target is, and how many DAGs a source says that it has."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import create_environment
import plan
import report
from migration.aws import clients
from migration.environments import requests
from migration.plan import dag_count, migration_input, target_size
from migration.report import contents
from tests.unit.functions.conftest import REGION, Environments, Handler, document, tell_dags

LARGE = {"EnvironmentClass": "mw1.2xlarge", "MinWorkers": 5, "MaxWorkers": 25, "Schedulers": 4, "MinWebservers": 3}
LEAST = {"MinWorkers": 1, "Schedulers": 2, "MinWebservers": 2}


def given(overrides: dict[str, Any] | None = None, mode: str = "rehearse", **options: Any) -> dict[str, Any]:
    """An input."""
    target = {"environment": "prod-3", "airflowVersion": "3.2.1", "overrides": overrides or {}}
    return document(mode=mode, target=target, options=options)


def rehearsal(overrides: dict[str, Any] | None = None, mode: str = "rehearse", **options: Any) -> dict[str, Any]:
    """An input that is complete."""
    return migration_input.with_defaults(given(overrides, mode, **options))


def never() -> int | None:
    raise AssertionError("nobody needs to know")


@pytest.mark.parametrize(
    ("dags", "smallest"),
    [
        # Ours are three.
        (0, "mw1.small"),
        (47, "mw1.small"),
        (48, "mw1.medium"),
        (247, "mw1.medium"),
        (248, "mw1.large"),
        (997, "mw1.large"),
        (998, "mw1.xlarge"),
        (1997, "mw1.xlarge"),
        (1998, "mw1.2xlarge"),
        (9999, "mw1.2xlarge"),
    ],
)
def test_the_smallest_class_that_holds_the_dags(dags: int, smallest: str) -> None:
    size = target_size.of(rehearsal(), LARGE, lambda: dags)
    assert size.fields.pop("EnvironmentClass", "mw1.2xlarge") == smallest
    assert size.fields == LEAST
    assert (f"The target is {smallest}, " in size.note) == (smallest != "mw1.2xlarge")


@pytest.mark.parametrize("its", ["mw1.small", "mw1.medium"])
def test_never_a_larger_class_than_the_sources(its: str) -> None:
    """Some have more DAGs than their class is said to hold."""
    assert target_size.of(rehearsal(), {"EnvironmentClass": its}, lambda: 700) == ({}, "")


def test_what_the_source_has_already_as_little_of_stays() -> None:
    source = {"EnvironmentClass": "mw1.large", "MinWorkers": 1, "MaxWorkers": 9, "Schedulers": 2}
    assert target_size.of(rehearsal(), source, lambda: 20).fields == {"EnvironmentClass": "mw1.small"}


@pytest.mark.parametrize("its", ["mw1.micro", "mw1.4xlarge"])
def test_a_class_that_cannot_be_compared_is_kept(its: str) -> None:
    assert target_size.of(rehearsal(), {**LARGE, "EnvironmentClass": its}, never) == ({}, "")


def test_without_the_number_of_dags_the_class_is_the_sources_and_the_report_says_why() -> None:
    size = target_size.of(rehearsal(), LARGE, lambda: None)
    assert size.fields == LEAST
    assert size.note.startswith("The target is mw1.2xlarge, like the source: its number of DAGs is unknown")


@pytest.mark.parametrize(
    "told",
    [
        rehearsal(mode="migrate"),
        rehearsal({"EnvironmentClass": "mw1.xlarge"}),
        rehearsal({"EnvironmentClass": "mw1.micro"}, rehearsalClass="smallest"),
        rehearsal(rehearsalClass="source"),
    ],
)
def test_nobody_is_asked_where_the_input_tells(told: dict[str, Any]) -> None:
    assert target_size.of(told, LARGE, never) == ({}, "")


def test_a_smoke_test_has_the_workers_that_its_dags_have_in_the_source() -> None:
    size = target_size.of(rehearsal(smokeTest=["orders"]), LARGE, never)
    assert size == ({}, "The target is as large as the source, mw1.2xlarge, because the smoke test's DAGs run in it.")


# The number of DAGs


def test_the_highest_of_the_last_hour_is_the_number() -> None:
    tell_dags(900, ago=timedelta(minutes=70))
    tell_dags(412, ago=timedelta(minutes=20))
    # A scheduler has just started.
    tell_dags(3)
    tell_dags(5000, "another")
    assert dag_count.of(clients.cloudwatch(REGION), "prod-2-10") == 412


def test_nobody_has_told_a_number() -> None:
    tell_dags(900, ago=timedelta(hours=2))
    assert dag_count.of(clients.cloudwatch(REGION), "prod-2-10") is None


def test_somebody_who_may_not_read_metrics_knows_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    client = clients.cloudwatch(REGION)

    def refuse(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetMetricStatistics")

    monkeypatch.setattr(client, "get_metric_statistics", refuse)
    assert dag_count.of(client, "prod-2-10") is None


# From the plan to the report


@pytest.fixture
def large(mwaa: Environments) -> Environments:
    mwaa.all["prod-2-10"] |= LARGE
    return mwaa


def test_the_target_is_created_with_it_and_the_report_tells(large: Environments, call: Handler) -> None:
    tell_dags(40)
    planned = call(plan, input=given({"MinWorkers": 2}))
    assert (planned["targetClass"], planned["classOnTheDay"]) == ("mw1.small", "mw1.2xlarge")
    call(create_environment, phase="create target", migration=planned, files={"dags": "prod-3/dags"})
    made = {name: large.all["prod-3"][name] for name in LARGE}
    # What the input says of a number is done, and the most workers are the source's.
    assert made == {**LEAST, "EnvironmentClass": "mw1.small", "MinWorkers": 2, "MaxWorkers": 25}
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    written = clients.s3().get_object(Bucket="exchange", Key=told["key"])["Body"].read()
    found = json.loads(written)
    assert (found["environment_class"], found["environment_class_on_the_day"]) == ("mw1.small", "mw1.2xlarge")
    page = clients.s3().get_object(Bucket="exchange", Key=told["key"].replace(".json", ".html"))["Body"].read().decode()
    assert "The real target will be mw1.2xlarge, which is at least as fast" in page
    # What comes after it can tell its downtime from those of others.
    history = clients.s3().get_object(Bucket="exchange", Key="rehearsals/eu-west-1/prod-2-10.json")["Body"].read()
    assert [item["environment_class"] for item in json.loads(history)] == ["mw1.small"]
    assert found["notes"][0].startswith("The target is mw1.small, the smallest class for the source's 40 DAGs and our")


@pytest.mark.parametrize(
    "parts",
    [{"options": {"rehearsalClass": "source"}}, {"overrides": {"EnvironmentClass": "mw1.2xlarge"}}],
    ids=["option", "override"],
)
def test_a_target_as_large_as_the_source(large: Environments, call: Handler, parts: dict[str, Any]) -> None:
    tell_dags(40)
    planned = call(plan, input=given(parts.get("overrides"), **parts.get("options", {})))
    call(create_environment, phase="create target", migration=planned, files={"dags": "prod-3/dags"})
    assert {name: large.all["prod-3"][name] for name in LARGE} == LARGE
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    written = json.loads(clients.s3().get_object(Bucket="exchange", Key=told["key"])["Body"].read())
    assert "environment_class" not in written


def test_a_hop_leaves_the_class_as_it_is(large: Environments, call: Handler) -> None:
    planned = call(plan, input=given())
    request = requests.hop_request(
        large.all["prod-2-10"],
        {"Name": "prod-3"},
        airflow_version="3.2.1",
        overrides=planned["overrides"],
        files=requests.Files("prod-3/dags"),
    ).request
    assert not {*LARGE} & {*request}


def test_the_reports_schema_knows_the_classes() -> None:
    schema = json.loads(Path(contents.__file__).with_name("report.schema.json").read_text())
    assert {"environment_class", "environment_class_on_the_day", "price_on_the_day_usd"} <= set(schema["properties"])


def test_a_plan_tells_how_long_a_target_before_2_10_takes_to_cut_over(mwaa: Environments, call: Handler) -> None:
    mwaa.all["prod-2-10"]["AirflowVersion"] = "2.5.1"
    tell_dags(120)
    given = document(target={"environment": "prod-3", "airflowVersion": "2.9.2"})
    (note,) = call(plan, input=given)["notes"]
    assert "the source's 120 DAGs are active, the cut-over takes 10 minutes" in note
    assert call(plan, input=document(target={"environment": "prod-4", "airflowVersion": "2.10.3"}))["notes"] == []
