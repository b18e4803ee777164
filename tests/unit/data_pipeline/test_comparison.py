"""A pipeline and its DAG side by side: their places in S3, and their runs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner, Result
from moto import mock_aws

from data_pipeline.comparison import places, runs
from data_pipeline.comparison.places import NotAPlace
from data_pipeline.comparison.runs import NotRuns
from mwaa_migrator_cli import side_by_side
from mwaa_migrator_cli.commands import cli


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield client


def put(client: Any, **objects: bytes) -> None:
    for key, body in objects.items():
        client.put_object(Bucket="data", Key=key.replace("__", "/"), Body=body)


def at(hour: int) -> datetime:
    return datetime(2026, 3, 4, hour, tzinfo=UTC)


def test_objects_are_compared_by_key(s3: Any) -> None:
    put(s3, old__a=b"1\n2\n", new__a=b"1\n2\n", old__b=b"1\n2\n", new__b=b"2\n1\n", old__c=b"1\n", new__c=b"2\n")
    put(s3, old__d=b"", new__e=b"")
    found = places.compare(s3, "s3://data/old", "s3://data/new/")
    assert {key: found.verdict(key) for key in found.keys} == {
        "a": "same",
        "b": "same rows",
        "c": "different",
        "d": "only in the old place",
        "e": "only in the new place",
    }
    assert not found.has_same_rows


def test_the_same_rows_may_be_cut_and_packed_in_other_ways(s3: Any) -> None:
    put(s3, old__000000_0=b"a,1\nb,2\nb,2\n", new__part0=b"b,2\r\nb,2")
    s3.put_object(Bucket="data", Key="new/part1.gz", Body=gzip.compress(b"a,1\n"))
    found = places.compare(s3, "s3://data/old/", "s3://data/new/")
    assert found.has_same_rows
    assert places.rows(found.old_objects.values()) == places.rows(found.new_objects.values()) == 3


def test_a_row_more_often_is_a_difference(s3: Any) -> None:
    put(s3, old__a=b"1\n1\n2\n", new__a=b"1\n2\n2\n")
    assert not places.compare(s3, "s3://data/old/", "s3://data/new/").has_same_rows


@pytest.mark.parametrize("place", ["data/old", "https://data/old", "s3:///old"])
def test_a_place_is_a_uri(s3: Any, place: str) -> None:
    with pytest.raises(NotAPlace, match="write s3://BUCKET/PREFIX"):
        places.compare(s3, place, "s3://data/new")


def instance(object_id: str, start: str, status: str) -> dict[str, Any]:
    fields = [{"key": "@scheduledStartTime", "stringValue": start}, {"key": "@status", "stringValue": status}]
    return {"id": object_id, "name": object_id, "fields": fields}


def with_instances() -> Any:
    """A client for Data Pipeline, which moto gives no instances: two pages of them, by the service's model."""
    client = boto3.client("datapipeline", region_name="eu-west-1")
    stubber = Stubber(client)
    asked = {"pipelineId": "df-1", "sphere": "INSTANCE"}
    stubber.add_response("query_objects", {"ids": ["@a", "@b"], "marker": "m", "hasMoreResults": True}, asked)
    stubber.add_response("query_objects", {"ids": ["@c"], "hasMoreResults": False}, {**asked, "marker": "m"})
    found = [
        instance("@a", "2026-03-04T02:00:00", "FINISHED"),
        instance("@b", "2026-03-04T02:00:00", "FINISHED"),
        instance("@c", "2026-03-04T03:00:00", "FAILED"),
    ]
    expected = {"pipelineId": "df-1", "objectIds": ["@a", "@b", "@c"]}
    stubber.add_response("describe_objects", {"pipelineObjects": found}, expected)
    stubber.activate()
    return client


def test_instances_of_one_scheduled_start_are_one_run(s3: Any) -> None:
    assert runs.instances(with_instances(), "df-1") == {at(2): "FINISHED", at(3): "FAILED"}


@pytest.mark.parametrize("date", ["logical_date", "execution_date"])
def test_runs_of_both_versions(date: str) -> None:
    text = json.dumps([{"run_id": "r", date: "2026-03-04T02:00:00+00:00", "state": "success"}, {"run_id": "manual"}])
    assert runs.of_airflow(text) == {at(2): "success"}


@pytest.mark.parametrize("text", ["No data found", "{}1", '["x"]', '[{"logical_date": "soon", "state": "success"}]'])
def test_other_texts_are_no_runs(text: str) -> None:
    with pytest.raises(NotRuns, match="airflow dags list-runs"):
        runs.of_airflow(text)


def test_runs_are_compared_from_the_first_that_both_have() -> None:
    old = {at(1): "FINISHED", at(2): "FINISHED", at(3): "FAILED", at(4): "FINISHED"}
    new = {at(2): "success", at(3): "success", at(5): "success"}
    assert [(run.start, run.is_same) for run in runs.compare(old, new)] == [
        (at(2), True),
        (at(3), False),
        (at(4), False),
        (at(5), False),
    ]
    assert not any(run.is_same for run in runs.compare({at(1): "FINISHED"}, {at(2): "success"}))


def test_side_by_side(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(s3, old__a=b"1\n2\n", new__a=b"2\n1\n")
    file = tmp_path / "runs.json"
    file.write_text(
        json.dumps(
            [
                {"logical_date": "2026-03-04T02:00:00+00:00", "state": "success"},
                {"logical_date": "2026-03-04T03:00:00+00:00", "state": "failed"},
            ]
        )
    )
    pairs = [("s3://data/old/", "s3://data/new/")]
    assert side_by_side.show(s3, with_instances(), pairs, "df-1", file)
    told = capsys.readouterr().out
    assert "2026-03-04 03:00" in told
    assert "2 and 2 rows: the same rows" in told
    file.write_text("[]")
    assert not side_by_side.show(s3, with_instances(), pairs, "df-1", file)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["compare", *arguments])


def test_the_command_ends_with_what_it_found(s3: Any) -> None:
    put(s3, old__a=b"1\n", same__a=b"1\n", new__a=b"2\n")
    assert run("--place", "s3://data/old/", "s3://data/same/").exit_code == 0
    told = run("--place", "s3://data/old/", "s3://data/new/")
    assert told.exit_code == 1
    assert "not the same rows" in told.output
    assert run("--place", "s3://data/old/", "s3://nowhere/").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Name what to compare"),
        (("--id", "df-1"), "by --id and --runs together"),
        (("--place", "s3://data/old", "new"), "not a place in Amazon S3"),
    ],
)
def test_what_it_cannot_compare(s3: Any, arguments: tuple[str, ...], message: str) -> None:
    told = run(*arguments)
    assert told.exit_code == 2
    assert message in told.output
