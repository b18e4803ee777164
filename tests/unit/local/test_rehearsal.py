"""What `make rehearsal` asks for, and when it is not content."""

from __future__ import annotations

import io
import time
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from local.rehearsal import rehearsal, verdict
from local.rehearsal.settings import InvalidSettings, Settings
from mwaa_migrator_cli.reminder import Reminder, reminding

AWS: Any = SimpleNamespace(region="eu-west-1")
REPORT: dict[str, Any] = {
    "status": "SUCCEEDED",
    "mode": "rehearse",
    "verified": True,
    "tables": {"dag_run": {"match": True, "exported": 1, "merged": 1}},
    "logs": {"events_lost": 0},
    "dags": {"source": 1, "parsed_in_target": 1, "import_errors": []},
}


def test_a_rehearsals_target_has_no_name_and_a_migrations_has() -> None:
    assert rehearsal.migration_input(Settings.from_variables({}), AWS)["target"] == {"airflowVersion": "3.2.1"}
    document = rehearsal.migration_input(Settings.from_variables({"MODE": "migrate", "TARGET": "2.11.2"}), AWS)
    assert document["target"] == {"environment": "rehearsal-target", "airflowVersion": "2.11.2"}
    assert document["mode"] == "migrate"


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        ({}, {}),
        ({"PATH_TO_3": "direct", "WAY_IN": "plugin"}, {"path": "direct", "wayIn": "plugin"}),
        ({"PATH_TO_3": "auto", "WAY_IN": "auto"}, {}),
    ],
)
def test_the_options_are_the_variables(variables: dict[str, str], options: dict[str, str]) -> None:
    document = rehearsal.migration_input(Settings.from_variables(variables), AWS)
    assert document["options"] == {"pollSeconds": 2, **options}


def test_every_fault_of_the_variables_is_told() -> None:
    variables = {"SOURCE": "3.2.1", "TARGET": "9.9.9", "MODE": "try", "DAGS": "/no/such/folder", "WAY_IN": "door"}
    wrong = Settings.from_variables({**variables, "PATH_TO_3": "through-2.11", "WORKER_DATABASE": "all"})
    with pytest.raises(
        InvalidSettings,
        match=r"TARGET is 9\.9\.9.*SOURCE is 3\.2\.1.*WAY_IN is door; it must be auto or worker or plugin; "
        r"WORKER_DATABASE is all; it must be token .*DAGS is .*MODE is try",
    ):
        wrong.check()


@pytest.mark.parametrize(
    ("variables", "versions"),
    [
        ({}, {"3.2.1"}),
        ({"PATH_TO_3": "through-2.11"}, {"2.11.2", "3.2.1"}),
        ({"WORKER_DATABASE": "none"}, {"3.2.1"}),
        ({"WORKER_DATABASE": "none", "WAY_IN": "worker"}, {"2.11.2", "3.2.1"}),
        ({"WORKER_DATABASE": "none", "WAY_IN": "worker", "PATH_TO_3": "direct"}, {"3.2.1"}),
        ({"WORKER_DATABASE": "none", "WAY_IN": "worker", "TARGET": "2.11.2"}, {"2.11.2"}),
    ],
)
def test_the_versions_of_the_way_that_is_taken_are_installed(variables: dict[str, str], versions: set[str]) -> None:
    assert Settings.from_variables(variables).target_versions() == versions


@pytest.mark.parametrize(
    ("changes", "verified"),
    [
        ({}, True),
        ({"status": "FAILED"}, False),
        ({"verified": False}, False),
        ({"tables": {}}, False),
        ({"tables": {"dag_run": {"match": False, "exported": 1, "merged": 0}}}, False),
        ({"logs": {"events_lost": 1}}, False),
        # A check of the target that fails, though every row has arrived.
        (
            {
                "checks": [
                    {"name": "Import errors", "result": "fail", "message": "one file", "remedy": "mend", "findings": []}
                ]
            },
            False,
        ),
    ],
)
def test_is_verified(changes: dict[str, Any], verified: bool) -> None:
    assert verdict.is_verified(REPORT | changes) is verified


def test_what_is_left_is_listed_and_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "inventory", lambda aws, source: {"environment source", "lock of source"})
    said: list[str] = []
    output = io.StringIO()
    source: Any = None
    console = Console(file=output)
    assert not verdict.check_leftovers(AWS, source, {"environment source"}, said.append, console)
    assert output.getvalue() == "left: lock of source\n"
    assert said == []
    assert verdict.check_leftovers(AWS, source, {"environment source", "lock of source"}, said.append, console)
    assert said == ["nothing of it is left: the listing of 2 things (environments, objects, grants...) is as before"]


def test_what_is_waited_for_is_said_again_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a thread, because whoever waits is busy."""
    monkeypatch.setattr("mwaa_migrator_cli.reminder._FIRST", 0.05)
    monkeypatch.setattr("mwaa_migrator_cli.reminder._TICK", 0.01)
    said: list[str] = []
    reminder = Reminder(said.append)
    reminder.begin("creating the source environment at Airflow 2.10.3")
    with reminding(reminder):
        time.sleep(0.3)
    assert said[0].startswith("creating the source environment at Airflow 2.10.3 ... 0.")
    told = len(said)
    time.sleep(0.1)
    assert len(said) == told
