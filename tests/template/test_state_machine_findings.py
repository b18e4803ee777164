"""The state machines are sound by others than moto, and their expressions mean what moto makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.jsonata.jsonata import JSONataException

from local.aws.stepfunctions import definitions, jsonata_evaluation
from local.installations import node_packages
from tools import state_machine_findings
from tools.state_machines import NAMES

TASK = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Arguments": {"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:f"},
    "Next": "End",
}
_SCHEMA, _SYNTAX, _UNKNOWN = "SCHEMA_VALIDATION_FAILED", "INVALID_JSONATA_EXPRESSION", "UNKNOWN_VARIABLE"
# What is wrong with a definition: the changes to a state, and the code and place of what is found.
BROKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "a state that is not there": ({"Next": "Nowhere"}, "MISSING_TRANSITION_TARGET", ""),
    "no way on": ({"Next": None}, "TERMINAL_STATE_WITH_NEXT", ""),
    "an unknown field": ({"Retries": []}, _SCHEMA, "/States/Work"),
    "JSONPath in JSONata": ({"Parameters": {"a.$": "$.a"}}, _SCHEMA, "/States/Work"),
    "a resource that is no ARN": ({"Resource": "lambda"}, _SCHEMA, "/States/Work/Resource"),
    "a bracket too few": ({"Output": "{% $count($states.input %}"}, _SYNTAX, "/States/Work/Output"),
    "a variable that no state assigns": ({"Output": {"a": "{% $assinged %}"}}, _UNKNOWN, "/States/Work/Output/a"),
    "a function that is not there": ({"Output": "{% $trunc(1) %}"}, _UNKNOWN, "/States/Work/Output"),
    "a function that Step Functions has not": ({"Output": "{% $eval('1') %}"}, _UNKNOWN, "/States/Work/Output"),
}


def of_task(changes: dict[str, Any]) -> dict[str, Any]:
    work = {name: value for name, value in (TASK | changes).items() if value is not None}
    return {"QueryLanguage": "JSONata", "StartAt": "Work", "States": {"Work": work, "End": {"Type": "Succeed"}}}


@pytest.fixture(scope="module")
def found() -> dict[str, list[definitions.Finding]]:
    """Of all broken definitions, and of one that is not."""
    cases = {"nothing": of_task({"Assign": {"known": 1}, "Output": "{% $known + $count([$uuid()]) %}"})}
    cases |= {name: of_task(changes) for name, (changes, _, _) in BROKEN.items()}
    return dict(zip(cases, definitions.findings(list(cases.values())), strict=True))


def test_the_deployed_definitions_have_no_findings(capsys: pytest.CaptureFixture[str]) -> None:
    assert state_machine_findings.main() == 0, capsys.readouterr().err


def test_a_sound_definition_has_none(found: dict[str, list[definitions.Finding]]) -> None:
    assert found["nothing"] == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_definition_has_one_with_its_place(name: str, found: dict[str, list[definitions.Finding]]) -> None:
    _, code, location = BROKEN[name]
    assert (code, location) in [(finding.code, finding.location) for finding in found[name]]


def test_make_template_fails_for_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    broken = of_task({"Next": "Nowhere"})
    monkeypatch.setattr(state_machine_findings, "deployed", lambda name: broken if name == "migrate" else of_task({}))
    assert state_machine_findings.main() == 1
    assert capsys.readouterr().err.startswith("migrate: ")


# ------------------------------------------------------------------------------------ two implementations of JSONata

CAUSE = json.dumps({"Error": "TransientError", "Cause": "once", "Status": "FAILED"})
MIGRATION = {
    "id": "prod-1", "bucket": "exchange", "mode": "migrate", "importVersion": "2.11.2", "hops": ["3.0.6", "3.2.1"],
    "direct": False, "finished": ["verify"], "rollBack": None,
    "options": {"logs": {"groups": ["Task"], "onlyFailed": False}},
}  # fmt: skip
FILLED: dict[str, Any] = {
    "states": {
        "input": {"a": [1, 2]},
        "result": {"Output": {"x": 1}, "Payload": {"ready": True, "files": [], "key": "k", "verdict": "pass"}},
        "errorOutput": {"Error": "States.TaskFailed", "Cause": CAUSE},
        "context": {
            "Execution": {"Id": "arn:e", "Name": "e", "Input": {"dry": False}},
            "State": {"Name": "Work"},
            "Map": {"Item": {"Value": {"index": 3}}},
        },
    },
    "migration": MIGRATION,
    "listing": {"batches": 2, "copy": {"bucket": "b", "workers": 5}, "manifest": "m", "progress": None, "ready": False},
    "progress": {"ready": False, "done": 3, "waitSeconds": 5, "waitedSeconds": 10, "next": ""},
    "run": "mwaa_migrator_import_base", "verified": {"tables": 1, "rows": 2, "next": "mwaa_migrator_export"},
    "report": {"bucket": "b", "migrationId": "i", "report": "r", "verdict": "warn"},
    "failure": {"state": "Plan", "error": "EnvironmentLocked", "cause": "it's \"held\"\n\u00e4"},
    "failed": True, "hop": 1, "unchecked": [], "files": ["f"], "document": {"x": [1]}, "rehearsal": {}, "verdict": "",
}  # fmt: skip
# The same with what is missing when something has failed early, and with a cause that is no JSON.
BARE = FILLED | {
    "states": FILLED["states"] | {"errorOutput": {"Error": "States.Timeout"}, "result": {"Payload": {}}},
    "migration": MIGRATION
    | {"finished": [], "hops": [], "direct": True, "options": {"logs": {"groups": [], "onlyFailed": True}}},
    "failed": False, "hop": 0, "unchecked": [{"state": "CheckFiles"}], "failure": {}, "run": "mwaa_migrator_probe",
    "progress": {"ready": True, "waitSeconds": 0, "waitedSeconds": 10},
}  # fmt: skip
ABORTED = FILLED | {
    "states": FILLED["states"] | {"errorOutput": {"Error": "X", "Cause": json.dumps({"Status": "ABORTED"})}}
}
TEXT = FILLED | {"states": FILLED["states"] | {"errorOutput": {"Error": "X", "Cause": "it broke"}}}


def expressions(node: Any) -> Iterator[str]:
    if isinstance(node, str) and node.startswith("{%"):
        yield node[2:-2]
    elif isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from expressions(child)


def by_ours(expression: str, variables: dict[str, Any]) -> Any:
    declared = jsonata_evaluation.declare_variables({f"${name}": value for name, value in variables.items()})
    try:
        return jsonata_evaluation.evaluate(f"({declared}{expression})")
    except JSONataException:
        return "failed"


@pytest.mark.parametrize("variables", [FILLED, BARE, ABORTED, TEXT], ids=["filled", "bare", "aborted", "text"])
def test_an_expression_is_evaluated_as_the_reference_implementation_does(variables: dict[str, Any]) -> None:
    used = sorted({one for name in NAMES for one in expressions(state_machine_findings.deployed(name))})
    theirs = node_packages.run(Path(__file__).with_name("evaluate.js"), [[one, variables] for one in used])
    differences = {
        one: (ours, answer)
        for one, answer in zip(used, theirs, strict=True)
        if (ours := by_ours(one, variables)) != answer.get("value", "failed")
    }
    assert differences == {}
