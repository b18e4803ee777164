"""Every problem of a definition at once, with object and field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from data_pipeline import checking
from data_pipeline.problems import Problem

from .definitions import SHELL, definition


def problems(*objects: Mapping[str, Any], **others: Any) -> list[Problem]:
    return checking.resolved(definition(*objects, **others))[1]


def daily(**fields: str) -> dict[str, str]:
    return {"id": "Daily", "type": "Schedule", "period": "1 day", "startDateTime": "2024-03-03T02:30:00", **fields}


def test_a_sound_definition_has_none() -> None:
    assert problems(SHELL) == []


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ([SHELL | {"dependsOn": {"ref": "Nobody"}}], ("Hello", "dependsOn", "there is no object Nobody.")),
        (
            [SHELL | {"type": "MagicActivity"}],
            ("Hello", "type", "Data Pipeline has no objects of the type MagicActivity"),
        ),
        ([SHELL, {"id": "Lost", "command": "x"}], ("Lost", "type", "it has no type")),
        ([SHELL, daily(period="15 Period")], ("Daily", "period", "'15 Period' is not a period")),
        ([SHELL, daily(period="0 days")], ("Daily", "period", "'0 days' is not a period")),
        ([SHELL, daily(period="5 minutes")], ("Daily", "period", "15 minutes to 3 years")),
        ([SHELL, daily(period="4 years")], ("Daily", "period", "15 minutes to 3 years")),
        ([SHELL, daily(startDateTime="yesterday")], ("Daily", "startDateTime", "it is no time")),
        ([SHELL, daily(endDateTime="2024-03-03T02:30:00")], ("Daily", "endDateTime", "not later")),
        ([SHELL, daily(occurrences="0")], ("Daily", "occurrences", "no number of runs")),
        ([SHELL, daily(occurrences="two")], ("Daily", "occurrences", "no whole number")),
        ([SHELL, daily(startAt="NOON")], ("Daily", "startAt", "'NOON' is no beginning")),
        ([SHELL | {"command": "#{format(}"}], ("Hello", "command", "does not parse")),
        ([SHELL | {"command": "#{nothing}"}], ("Hello", "command", "#{nothing} names nothing")),
        ([SHELL | {"command": "#{bake(@scheduledStartTime)}"}], ("Hello", "command", "there is no function bake")),
        ([SHELL | {"command": "#{day('x')}"}], ("Hello", "command", "day takes a datetime")),
        ([SHELL | {"command": "#{day()}"}], ("Hello", "command", "day takes 1 arguments, not 0")),
        ([SHELL | {"command": "#{'a' * 2}"}], ("Hello", "command", "* takes numbers")),
        ([SHELL | {"command": "#{format(@scheduledStartTime, 'b')}"}], ("Hello", "command", "the letter b")),
        ([SHELL | {"command": "#{node.name}"}], ("Hello", "command", "has no meaning here")),
        ([SHELL | {"command": "#{@healthStatus}"}], ("Hello", "command", "has no counterpart")),
        ([SHELL | {"myA": "#{myB}", "myB": "#{myA}"}], ("Hello", "myA", "the field refers to itself")),
        ([SHELL | {"maximumRetries": "many"}], ("Hello", "maximumRetries", "no whole number")),
        ([SHELL | {"attemptTimeout": "soon"}], ("Hello", "attemptTimeout", "not a period")),
        ([SHELL | {"stage": "maybe"}], ("Hello", "stage", "neither true nor false")),
        ([SHELL | {"scheduleType": "hourly"}], ("Hello", "scheduleType", "no schedule type")),
        (
            [{"id": "Hello", "type": "ShellCommandActivity", "workerGroup": "w"}],
            ("Hello", "command", "command or scriptUri"),
        ),
        ([SHELL, {"id": "K", "type": "S3KeyExists"}], ("K", "s3Key", "a S3KeyExists must have it.")),
        ([{"id": "Default", "scheduleType": "cron"}, SHELL], ("Hello", "schedule", "it has no schedule")),
        ([SHELL | {"parent": {"ref": "Nobody"}}], ("Hello", "parent", "there is no object Nobody.")),
        ([SHELL | {"parent": {"ref": "Hello"}}], ("Hello", "parent", "inherits from itself: Hello -> Hello.")),
        ([{"id": "Daily"}], ("", "", "it has no activity")),
    ],
)
def test_names_object_and_field(objects: list[dict[str, Any]], expected: tuple[str, str, str]) -> None:
    found = problems(*objects)
    assert [
        problem
        for problem in found
        if (problem.object_id, problem.field) == expected[:2] and expected[2] in problem.message
    ], found


def test_all_at_once() -> None:
    found = problems(
        SHELL | {"dependsOn": {"ref": "Nobody"}, "command": "#{nothing}"},
        daily(period="15 Period"),
        {"id": "M", "type": "Magic"},
        {"id": "S", "type": "S3DataNode", "filePath": "#{format(x"},
    )
    assert {(problem.object_id, problem.field) for problem in found} >= {
        ("Hello", "dependsOn"),
        ("Hello", "command"),
        ("M", "type"),
        ("S", "filePath"),
    }


def test_the_period_is_told_beside_other_problems() -> None:
    found = problems(SHELL | {"command": "#{nothing}"}, daily(period="15 Period"))
    assert {(problem.object_id, problem.field) for problem in found} == {("Hello", "command"), ("Daily", "period")}


def test_a_circle_of_activities() -> None:
    found = problems(
        SHELL | {"id": "A", "dependsOn": {"ref": "C"}},
        SHELL | {"id": "B", "dependsOn": {"ref": "A"}},
        SHELL | {"id": "C", "dependsOn": {"ref": "B"}},
        SHELL | {"id": "D", "dependsOn": {"ref": "D"}},
    )
    circles = [problem.message for problem in found if problem.field == "dependsOn"]
    assert len(circles) == 2
    assert all("wait for each other" in message for message in circles)


def test_a_circle_through_data_nodes() -> None:
    def node(name: str) -> dict[str, str]:
        return {"id": name, "type": "S3DataNode", "filePath": f"s3://b/{name}"}

    found = problems(
        node("One"),
        node("Two"),
        SHELL | {"id": "A", "input": {"ref": "One"}, "output": {"ref": "Two"}},
        SHELL | {"id": "B", "input": {"ref": "Two"}, "output": {"ref": "One"}},
    )
    assert [problem for problem in found if "wait for each other" in problem.message]


def test_an_inherited_problem_is_told_once() -> None:
    default = {"id": "Default", "scheduleType": "ondemand", "pipelineLogUri": "#{myLogs}"}
    found = problems(default, SHELL, SHELL | {"id": "Other"})
    assert [(problem.object_id, problem.field) for problem in found] == [("Default", "pipelineLogUri")]


def test_a_parameter_without_value_is_no_problem() -> None:
    assert problems(SHELL | {"command": "#{myA}"}, parameters=[{"id": "myA"}]) == []


def test_500_objects_are_checked_in_seconds() -> None:
    activities = [
        SHELL | {"id": f"A{number}", "dependsOn": [{"ref": f"A{other}"} for other in range(max(0, number - 5), number)]}
        for number in range(500)
    ]
    assert problems(*activities) == []
