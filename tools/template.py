"""The template and what its state machines call, as plain data: for the pages, the release and the tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from local.installations.folders import ROOT
from tools.state_machines import definition

Content = dict[str, Any]


class _Template(yaml.SafeLoader):
    """Reads CloudFormation's short forms: `!Ref X` as `${X}`, `!GetAtt A.B` as `${A.B}`, `!Sub` as its text."""


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        text = str(loader.construct_scalar(node))
        return text if suffix == "Sub" else f"${{{text}}}"
    items: list[Any] = loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else []
    if suffix == "If":
        # What matters to a reader is the resource that the stack makes by default.
        return items[1]
    if suffix == "Split":
        # !Split [",", !Sub ["${Arns}/*", {Arns: !Join ["/*,", !Ref DagBucketArns]}]]: a list made of another.
        text, joined = items[1]
        for name, (_, of_list) in joined.items():
            text = text.replace(f"${{{name}}}", of_list)
        return text.split(",") if "," in text else text
    return items


_Template.add_multi_constructor("!", _intrinsic)


@cache
def template() -> Content:
    """template.yaml, with intrinsic functions as text."""
    content: Content = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=_Template)
    return content


def tasks(name: str) -> dict[str, Content]:
    """The tasks of a state machine that call functions, in the order of the file, those of Maps among them."""
    found: dict[str, Content] = {}
    for state_name, state in definition(name)["States"].items():
        found |= _calls({state_name: state})
        found |= _calls(state.get("ItemProcessor", {}).get("States", {}))
    return found


def _calls(states: dict[str, Content]) -> dict[str, Content]:
    return {name: state for name, state in states.items() if "FunctionName" in state.get("Arguments", {})}


def statements(properties: Content) -> list[Content]:
    """All that a function's or a state machine's policies say, with the statements that only some stacks have."""
    return [said["Fn::If"][1] if "Fn::If" in said else said for said in _statements(properties)]


def unconditional_statements(properties: Content) -> list[Content]:
    """Those that every stack has."""
    return [said for said in _statements(properties) if "Fn::If" not in said]


def _statements(properties: Content) -> Iterator[Content]:
    """Of a role's own policy, and of the managed policies that it shares with others."""
    for policy in properties["Policies"]:
        shared = isinstance(policy, str)
        document = template()["Resources"][policy[2:-1]]["Properties"]["PolicyDocument"] if shared else policy
        yield from document["Statement"]
