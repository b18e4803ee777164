"""The command: from files and from an account, with its overview and exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from data_pipeline import account
from mwaa_migrator_cli.commands import cli

from .definitions import DAILY, DEFAULT, SHELL, document
from .translations import DEFINITIONS, FOLDER


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["pipeline", *arguments])


def api_form(definition: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "id": item["id"],
            "name": item.get("name", item["id"]),
            "fields": [
                {"key": key, "refValue": value["ref"]}
                if isinstance(value, dict)
                else {"key": key, "stringValue": value}
                for key, value in item.items()
                if key not in ("id", "name")
            ],
        }
        for item in definition["objects"]
    ]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        yield boto3.client("datapipeline", region_name="eu-west-1")


def put(client: Any, name: str, definition: dict[str, Any], *, activate: bool = True) -> str:
    pipeline_id = str(client.create_pipeline(name=name, uniqueId=name, description=f"{name}, described")["pipelineId"])
    client.put_pipeline_definition(pipelineId=pipeline_id, pipelineObjects=api_form(definition))
    if activate:
        client.activate_pipeline(pipelineId=pipeline_id)
    return pipeline_id


def test_files_become_folders(tmp_path: Path) -> None:
    files = [str(FOLDER / file) for name in ("on_demand", "backup") for file in DEFINITIONS[name]]
    told = run(*files, "--out", str(tmp_path / "out"), "--airflow", "3.2.1")
    assert told.exit_code == 0, told.output
    assert told.output.splitlines() == ["on-demand: on_demand, 1 thing to decide", "backup: backup, 1 thing to decide"]
    written = {str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*") if file.is_file()}
    assert written == {
        "index.html",
        "requirements.txt",
        *(f"on_demand/{name}" for name in ("on_demand.py", "greet.sh", "PIPELINE.md", "requirements.txt")),
        *(f"backup/{name}" for name in ("backup.py", "back_up_orders.sql", "PIPELINE.md", "requirements.txt")),
        *(f"backup/{name}" for name in ("connections.json", "variables.json")),
    }


def test_one_definition_has_no_overview(tmp_path: Path) -> None:
    run(str(FOLDER / "on-demand.json"), "--out", str(tmp_path), "--airflow", "2.11.2")
    assert [item.name for item in tmp_path.iterdir()] == ["on_demand"]


def test_a_refusal_names_object_and_field_and_spares_the_others(tmp_path: Path) -> None:
    bad, other = tmp_path / "bad.json", tmp_path / "machine.json"
    bad.write_text(json.dumps(document(SHELL, DAILY | {"period": "15 Period"})))
    other.write_text('{"StartAt": "A", "States": {}}')
    told = run(
        str(bad), str(other), str(FOLDER / "on-demand.json"), "--out", str(tmp_path / "out"), "--airflow", "3.2.1"
    )
    assert told.exit_code == 1
    assert "bad: not translated, 1 problem" in told.output
    assert "Daily.period: '15 Period' is not a period" in told.output
    assert "a state machine of Step Functions" in told.output
    assert (tmp_path / "out" / "on_demand" / "on_demand.py").is_file()


@pytest.mark.parametrize("arguments", [(), ("--all", "--id", "df-1"), (str(FOLDER / "on-demand.json"), "--all")])
def test_it_wants_one_of_the_three(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    told = run(*arguments, "--out", str(tmp_path), "--airflow", "3.2.1")
    assert told.exit_code == 2
    assert "one of the three" in told.output


def test_a_start(tmp_path: Path) -> None:
    told = run(
        str(FOLDER / "sqoop-weekly.json"), "--out", str(tmp_path), "--airflow", "3.2.1", "--start", "2026-12-06T02:30"
    )
    assert told.exit_code == 0, told.output
    page = (tmp_path / "sqoop_weekly" / "PIPELINE.md").read_text()
    assert "takes over with the run whose scheduled start is 2026-12-06 02:30 UTC" in page


def test_pipelines_of_an_account_by_id(client: Any, tmp_path: Path) -> None:
    first = put(client, "nightly", document(SHELL))
    put(client, "other", document(SHELL))
    told = run("--id", first, "--out", str(tmp_path), "--airflow", "2.11.2")
    assert told.output == "nightly: nightly, 1 thing to decide\n"
    page = (tmp_path / "nightly" / "PIPELINE.md").read_text()
    assert f"--pipeline-id {first}" in page
    source = (tmp_path / "nightly" / "nightly.py").read_text()
    assert "nightly, described" in source
    assert f"Translated from AWS Data Pipeline ({first})." in source


def test_a_pipeline_that_is_not_there(client: Any, tmp_path: Path) -> None:
    told = run("--id", "df-nowhere", "--out", str(tmp_path), "--airflow", "2.11.2")
    assert told.exit_code == 1
    assert "the account has no such pipeline" in told.output


class Page(HTMLParser):
    """The texts of a page's table cells, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.loaded: list[str] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._in_cell = self._in_cell or tag == "td"
        if tag == "td":
            self.cells.append("")
        self.loaded += [str(value) for name, value in attributes if name == "src" or (tag == "link" and name == "href")]

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag != "td"

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.cells[-1] += data.strip()


def test_all_active_pipelines_and_their_overview(client: Any, tmp_path: Path) -> None:
    whole = {
        "objects": [
            {**DEFAULT, "schedule": {"ref": "Daily"}},
            DAILY,
            {"id": "Db", "type": "JdbcDatabase", "connectionString": "jdbc:postgresql://h/d", "username": "u"},
            {"id": "Q", "type": "SqlActivity", "database": {"ref": "Db"}, "script": "select 1"},
        ]
    }
    for number in range(16):
        put(client, f"whole {number}", whole)
    put(client, "half", document(SHELL))
    put(client, "<b>not</b>", document(SHELL | {"command": "#{nothing}"}))
    put(client, "same name!", whole)
    put(client, "same name?", whole)
    put(client, "never activated", whole, activate=False)
    told = run("--all", "--out", str(tmp_path), "--airflow", "3.2.1")
    assert told.exit_code == 1
    assert len(told.output.splitlines()) == 21
    assert "never activated" not in told.output
    assert (tmp_path / "same_name" / "same_name.py").is_file()
    assert len(list(tmp_path.glob("same_name_*/*.py"))) == 1
    text = (tmp_path / "index.html").read_text()
    page = Page()
    page.feed(text)
    assert page.loaded == []
    assert page.cells.count("whole") == 18
    assert page.cells.count("partly") == 1
    assert page.cells.count("not") == 1
    assert "<b>not</b>" not in text
    assert "18 of 20 pipelines translate whole, 1 with something to decide, 1 not" in text
    assert "#{nothing} names nothing" in text


def test_pages_of_the_list_are_followed() -> None:
    class Client:
        def list_pipelines(self, marker: str = "") -> dict[str, Any]:
            return (
                {"pipelineIdList": [{"id": "b"}]}
                if marker
                else {"pipelineIdList": [{"id": "a"}], "hasMoreResults": True, "marker": "m"}
            )

        def describe_pipelines(self, pipelineIds: list[str]) -> dict[str, Any]:  # noqa: N803  # The API's name.
            fields = [
                {"key": "@pipelineState", "stringValue": "SCHEDULED"},
                {"key": "@firstActivationTime", "stringValue": "2024-03-03T02:30:00"},
                {"key": "@nextRunTime", "stringValue": "2026-12-06T02:30:00"},
            ]
            return {
                "pipelineDescriptionList": [
                    {"pipelineId": item, "name": item, "fields": fields} for item in pipelineIds
                ]
            }

        def get_pipeline_definition(self, **_: str) -> dict[str, Any]:
            return {"pipelineObjects": api_form(document(SHELL))}

    found = list(account.active(Client()))
    assert [item.pipeline_id for item in found] == ["a", "b"]
    activation = found[0].definition and found[0].definition.activation
    assert activation
    assert activation.first_activation is not None
    assert activation.first_activation.isoformat() == "2024-03-03T02:30:00+00:00"
