"""The definitions that are deployed are made from those that are read, and CloudFormation can read them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from migration.airflow import our_dags, runs
from tools import state_machines
from tools.state_machines import DEPLOYED, NAMES, ROOT, InvalidSource, definition
from tools.template import template

FAILURES = """
Retry:
  transient:
    - {ErrorEquals: [Passing]}
  function is not ready:
    - {ErrorEquals: [Sleeping]}
  passing:
    - {ErrorEquals: [One], MaxAttempts: 2}
    - {ErrorEquals: [Two], MaxAttempts: 3}
Catch:
  end:
    - {ErrorEquals: [States.ALL], Next: Failed}
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_deployed_definition_is_fresh(name: str) -> None:
    deployed = (DEPLOYED / f"{name}.asl.json").read_text(encoding="utf-8")
    assert deployed == state_machines.text(name), "run `make generate`"


def test_the_order_of_the_states_is_fresh() -> None:
    assert state_machines.STATE_ORDER.read_text(encoding="utf-8") == state_machines.state_order(), "run `make generate`"


def test_the_definition_names_our_dags_as_the_functions_and_their_files_do() -> None:
    deployed = (DEPLOYED / "migrate.asl.json").read_text(encoding="utf-8")
    assert set(re.findall(rf"{our_dags.NAME}_\w+", deployed)) == {
        *(our_dags.PROBE, our_dags.TARGET_PROBE, our_dags.EXPORT),
        *(runs.of_step(dag, our_dags.BASE) for dag in (our_dags.EXPORT, our_dags.IMPORT)),
    }
    assert {file.stem for file in (ROOT / "dags").glob(f"{our_dags.NAME}_*.py")} == set(our_dags.DAGS)


@pytest.mark.parametrize("name", NAMES)
def test_a_deployed_definition_has_no_anchors_and_no_tags(name: str) -> None:
    """CloudFormation resolves neither, while moto and yaml.safe_load do."""
    deployed = (DEPLOYED / f"{name}.asl.json").read_text(encoding="utf-8")
    assert json.loads(deployed) == definition(name)
    for event in yaml.parse(deployed, Loader=yaml.SafeLoader):
        assert not isinstance(event, yaml.AliasEvent), event.start_mark
        assert getattr(event, "anchor", None) is None, event.start_mark
        assert getattr(event, "tag", None) is None, event.start_mark


def test_the_template_deploys_each_and_nothing_else() -> None:
    resources = template()["Resources"].values()
    uris = {one["Properties"]["DefinitionUri"] for one in resources if one["Type"] == "AWS::Serverless::StateMachine"}
    assert uris == {str(file.relative_to(ROOT)) for file in DEPLOYED.iterdir()}
    assert {f"{name}.asl.json" for name in NAMES} == {file.name for file in DEPLOYED.iterdir()}


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(state_machines, "SOURCES", tmp_path)
    (tmp_path / "failures.yaml").write_text(FAILURES)
    return tmp_path


def test_names_are_replaced_in_their_order_in_maps_too(sources: Path) -> None:
    (sources / "one.yaml").write_text("""
States:
  Work:
    Retry: [{ErrorEquals: [Own]}, passing]
    Catch: [end]
  Items:
    ItemProcessor:
      States:
        Inner:
          Retry: [passing]
""")
    passing = [{"ErrorEquals": ["One"], "MaxAttempts": 2}, {"ErrorEquals": ["Two"], "MaxAttempts": 3}]
    assert definition("one")["States"] == {
        "Work": {
            "Retry": [{"ErrorEquals": ["Own"]}, *passing],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}],
        },
        "Items": {"ItemProcessor": {"States": {"Inner": {"Retry": passing}}}},
    }


def test_a_state_with_a_function_invokes_it(sources: Path) -> None:
    (sources / "one.yaml").write_text("""
States:
  Work:
    Comment: Works
    Function: DoWork
    TimeoutSeconds: 70
    Payload: {size: 1}
    Assign: {answer: 2}
    Next: More
  More:
    Comment: Works more
    Function: DoMore
    TimeoutSeconds: 80
    Retry: [passing]
    Output: 3
    End: true
""")
    work, more = definition("one")["States"].values()
    assert work == {
        "Type": "Task",
        "Comment": "Works",
        "Resource": "arn:${Partition}:states:::lambda:invoke",
        "TimeoutSeconds": 70,
        "Arguments": {
            "FunctionName": "${DoWorkFunctionArn}",
            "Payload": {"execution": "{% $states.context.Execution.Name %}", "size": 1},
        },
        "Output": "{% $states.result.Payload %}",
        "Assign": {"answer": 2},
        "Retry": [{"ErrorEquals": ["Passing"]}, {"ErrorEquals": ["Sleeping"]}],
        "Next": "More",
    }
    assert more["Arguments"]["Payload"] == {"execution": "{% $states.context.Execution.Name %}"}
    assert (more["Output"], more["End"]) == (3, True)
    assert [retry["ErrorEquals"] for retry in more["Retry"]] == [["One"], ["Two"]]


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ("  Work: {Function: Work, Comment: Works}", "Work invokes a function and has no TimeoutSeconds"),
        ("  Work: {Retry: [end]}", "Work has the Retry 'end', which failures.yaml does not define"),
        ("  Work: {Type: Pass}\n  Work: {Type: Fail}", "Work is there twice"),
    ],
)
def test_what_would_be_deployed_wrongly_is_refused(sources: Path, states: str, message: str) -> None:
    (sources / "one.yaml").write_text(f"States:\n{states}\n")
    with pytest.raises(InvalidSource, match=message):
        definition("one")
