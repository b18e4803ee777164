from __future__ import annotations

import json
from typing import Any

import pytest

from migration.airflow.cli import AirflowCli
from migration.airflow.endpoint import Answer
from migration.airflow.pausing import set_paused
from migration.failure import failure_of
from migration.model import Phase
from migration.report import contents, notification


def phase(name: str, started: str, ended: str | None) -> Phase:
    day = "2026-11-22T10:{}:00.000+00:00"
    seconds = 60.0 * (int(ended) - int(started)) if ended else 0.0
    return Phase(name=name, started=day.format(started), ended=ended and day.format(ended), seconds=seconds)


PHASES = [
    phase("plan", "00", "01"),
    phase("create target", "01", "20"),
    phase("export", "20", "25"),
    phase("import", "25", "30"),
    phase("verify", "30", "31"),
    phase("hop to 3.2.1", "31", "45"),
    phase("cut over", "45", "46"),
]


def test_downtime_is_from_the_export_to_the_end_of_the_cut_over() -> None:
    assert contents.downtime(PHASES) == 26 * 60


def test_a_rehearsals_downtime_is_what_it_would_be() -> None:
    assert contents.downtime(PHASES[:-1]) == 25 * 60


def test_a_roll_back_ends_the_downtime() -> None:
    assert contents.downtime([*PHASES[:3], phase("roll back", "26", "28")]) == 8 * 60


def test_nothing_is_down_before_the_export() -> None:
    assert contents.downtime(PHASES[:2]) == 0.0


def test_what_the_engine_measured_are_phases_of_their_own() -> None:
    results = {"quiesce": {"seconds": 20.0}, "drain": {"seconds": 40.0}, "verify": {"seconds": 30.0}}
    line = {item["name"]: item["seconds"] for item in contents.timeline(PHASES, results)}
    assert (line["quiesce"], line["export"]) == (60.0, 240.0)
    assert (line["import"], line["verify"]) == (270.0, 90.0)
    assert sum(line.values()) == sum(item["seconds"] for item in PHASES)
    # While the export runs, the quiescing is over.
    running = contents.timeline([phase("export", "20", None)], results)
    assert [(item["name"], item["ended"]) for item in running] == [
        ("quiesce", "2026-11-22T10:21:00.000+00:00"),
        ("export", None),
    ]


@pytest.mark.parametrize(
    ("caught", "message"),
    [
        ({"cause": json.dumps({"errorMessage": "told", "errorType": "X"})}, "told"),
        ({"cause": "not JSON"}, "not JSON"),
        ({"cause": '"text"'}, '"text"'),
        ({"cause": ""}, ""),
        ({}, ""),
    ],
)
def test_failure_of(caught: dict[str, str], message: str) -> None:
    found = failure_of({"state": "Verify", "error": "X", **caught})
    assert found == {"state": "Verify", "error": "X", "message": message}


def test_no_failure() -> None:
    assert failure_of({}) is None


def test_a_subject_says_the_verdict_and_fits_sns() -> None:
    report: dict[str, Any] = {"mode": "rehearse", "status": "SUCCEEDED", "verdict": "fail"}
    report |= {"source": {"environment": "a" * 80}, "target": {"environment": "b" * 80}}
    assert len(notification.subject(report)) == 100
    assert notification.subject(report).startswith("Rehearsal failed: aaa")


def test_pausing_stops_when_its_time_is_over_and_goes_on_later() -> None:
    commands: list[tuple[str, ...]] = []

    def run(*command: str) -> Answer:
        commands.append(command)
        return Answer(True, "", "")

    dags, seconds = [f"d{number}" for number in range(5)], iter(range(100))
    cli = AirflowCli(run, "2.9.2")
    done = set_paused(cli, dags, paused=False, done=0, seconds=3.0, clock=lambda: float(next(seconds)))
    assert done == 2
    assert set_paused(cli, dags, paused=False, done=done, seconds=99.0) == 5
    assert [command[-1] for command in commands] == dags
