"""Writes the parts of the documentation that have a source: `make generate`. A test fails when one is stale.

A page marks such a part with `<!-- generated: NAME -->` and `<!-- end of NAME -->`; what stands between is replaced.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import yaml

from mwaa_migrator_cli.commands import cli
from tools import example_comparison
from tools.state_machines import definition

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FUNCTIONS = ROOT / "functions" / "migration"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
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
        # !Split [",", !Sub ["${Arns}/...", {Arns: ...}]]: a list made of another, the DAG buckets'.
        return str(items[1][0]).replace("${Arns}", "${DagBucketArns}")
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


def input_reference(file: str = "plan/input.schema.json") -> str:
    """Every field of the input, from the published schema."""
    schema = json.loads((FUNCTIONS / file).read_text(encoding="utf-8"))
    rows = [
        f"| `{path}` | {_type(node)} | {_default(node, need)} | {_cell(node['description'])} |"
        for path, node, need in _fields(schema, "")
    ]
    return "\n".join(["| field | type | default | what it is |", "| --- | --- | --- | --- |", *rows])


def _fields(node: Content, path: str) -> Iterator[tuple[str, Content, bool]]:
    for name, child in node.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield below, child, name in node.get("required", [])
        yield from _fields(child, below)


def _type(node: Content) -> str:
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    limits = [f"{word} {node[key]}" for key, word in (("minimum", "at least"), ("maximum", "at most")) if key in node]
    return ", ".join([" or ".join(kinds), *limits])


def _default(node: Content, required: bool) -> str:
    if required:
        return "required"
    return f"`{json.dumps(node['default'])}`" if "default" in node else "none"


def report_reference() -> str:
    """Every field of report.json, from the published schema."""
    schema = json.loads((FUNCTIONS / "report" / "report.schema.json").read_text(encoding="utf-8"))
    rows = [f"| `{path}` | {need} | {_cell(text)} |" for path, need, text in _report_fields(schema, schema, "")]
    return "\n".join(["| field | always there | what it is |", "| --- | --- | --- |", *rows])


def _report_fields(node: Content, schema: Content, path: str) -> Iterator[tuple[str, str, str]]:
    for name, child in node.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield below, "yes" if name in node.get("required", []) else "", child["description"]
        for inner, suffix in _inner(child, schema):
            yield from _report_fields(inner, schema, below + suffix)


def _inner(node: Content, schema: Content) -> Iterator[tuple[Content, str]]:
    """What lies below a field: in an object, in each item of an array, or in each value of a map."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    yield node, ""
    if "items" in node:
        yield node["items"], "[]"
    if isinstance(node.get("additionalProperties"), dict):
        yield node["additionalProperties"], ".*"


def command_line() -> str:
    """The help text of `mwaa-migrator` and of each of its commands."""
    names = cli.context_settings["help_option_names"]
    above = click.Context(cli, info_name="mwaa-migrator", terminal_width=100, help_option_names=names)
    commands = [cli.commands[name] for name in cli.list_commands(above)]
    below = [click.Context(command, above, command.name, terminal_width=100) for command in commands]
    return "\n\n".join(_help(context.command, context) for context in (above, *below))


def _help(command: click.Command, context: click.Context) -> str:
    return f"### {context.command_path}\n\n```text\n{command.get_help(context)}\n```"


def commands() -> str:
    """What make does, from the comments beside its targets."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rows = [
        f"| `make {name}` | {_cell(text)} |" for name, text in re.findall(r"^([a-z0-9]+):.*? ## (.+)$", makefile, re.M)
    ]
    return "\n".join(["| command | what it does |", "| --- | --- |", *rows])


def parameters() -> str:
    """The stack's parameters."""
    rows = [
        f"| `{name}` | `{_shown(content.get('Default', ''))}` | {_cell(content['Description'])} |"
        for name, content in template()["Parameters"].items()
    ]
    return "\n".join(["| parameter | default | what it is |", "| --- | --- | --- |", *rows])


def _shown(default: Any) -> str:
    return str(default) or '""'


def functions_in_vpc() -> str:
    """The functions that run in the VPC whose subnets the stack is given."""
    return "\n".join(
        f"- `{name}`: {resource['Properties']['Description'][0].lower()}{resource['Properties']['Description'][1:]}"
        for name, resource in template()["Resources"].items()
        if "VpcConfig" in resource.get("Properties", {})
    )


def states() -> str:
    """The migrate state machine's tasks in the order of the file."""
    rows = []
    for name, state in definition("migrate")["States"].items():
        if state["Type"] == "Task":
            fails = state["Catch"][0]["Next"]
            rows.append(f"| {name} | {_implementation(state)} | {_cell(state['Comment'])} | {fails} |")
    return "\n".join(["| state | function | what it does | a failure leads to |", "| --- | --- | --- | --- |", *rows])


def log_states() -> str:
    """The tasks of the state machine that copies logs."""
    rows = [
        f"| {name} | {_implementation(state)} | {_cell(state['Comment'])} |"
        for name, state in tasks("copy_logs").items()
    ]
    return "\n".join(["| state | function | what it does |", "| --- | --- | --- |", *rows])


def _implementation(state: Content) -> str:
    if "FunctionName" not in state["Arguments"]:
        return "[copy_logs.yaml](../statemachine/copy_logs.yaml)"
    function = re.sub(r"\$\{(\w+)FunctionArn\}", r"\1", state["Arguments"]["FunctionName"])
    module = template()["Resources"][f"{function}Function"]["Properties"]["Handler"].split(".")[0]
    return f"[{module}.py](../functions/{module}.py)"


def permissions() -> str:
    """What each function's role allows, and what the state machine's does."""
    parts = []
    for name, resource in template()["Resources"].items():
        if resource["Type"] not in ("AWS::Serverless::Function", "AWS::Serverless::StateMachine"):
            continue
        properties = resource["Properties"]
        rows = []
        for statement in statements(properties):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            condition = _condition(statement.get("Condition", {}))
            rows.append(
                f"| {statement['Sid']} | {'<br>'.join(f'`{action}`' for action in actions)} "
                f"| {'<br>'.join(f'`{item}`' for item in resources)} | {condition} |"
            )
        about = properties.get("Description", "Invokes the functions and delivers its logs")
        head = ["| statement | actions | resources | only if |", "| --- | --- | --- | --- |"]
        parts.append("\n".join([f"### {name}", "", f"{about}.", "", *head, *rows]))
    return "\n\n".join(parts)


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


def _condition(condition: Content) -> str:
    return "<br>".join(
        f"`{key}` {operator} {', '.join(f'`{value}`' for value in (values if isinstance(values, list) else [values]))}"
        for operator, tests in condition.items()
        for key, values in tests.items()
    )


def failures() -> str:
    """The named failures, from their classes."""
    tree = ast.parse((FUNCTIONS / "errors.py").read_text(encoding="utf-8"))
    rows = [
        f"| `{node.name}` | {_cell(ast.get_docstring(node) or '')} |"
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name != "MigrationError"
    ]
    return "\n".join(["| error | what it means |", "| --- | --- |", *rows])


def bad_input() -> str:
    """Every input that is tried and refused, from the table that the test goes through."""
    tree = ast.parse((ROOT / "tests" / "unit" / "functions" / "plan" / "test_bad_input.py").read_text(encoding="utf-8"))
    constants: dict[str, str] = {}
    rows = []
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        if isinstance(node.value, ast.Constant | ast.JoinedStr):
            constants[node.targets[0].id] = _text(node.value, constants)
        elif isinstance(node.value, ast.Dict) and node.targets[0].id in ("SCHEMA", "WORLD"):
            for key, case in zip(node.value.keys, node.value.values, strict=True):
                if isinstance(case, ast.Call) and key is not None:
                    error, path = (_text(argument, constants) for argument in case.args[:2])
                    rows.append(f"| {_text(key, constants)} | `{error}` | `{path}` |")
    return "\n".join(["| what is wrong | error | where |", "| --- | --- | --- |", *rows])


def _text(node: ast.expr, constants: dict[str, str]) -> str:
    """A string of the source: a literal, a constant's name, or an f-string of both."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, constants) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, constants)
    if isinstance(node, ast.Name):
        return constants[node.id]
    return str(ast.literal_eval(node))


def engine_failures() -> str:
    """The metadata engine's named failures, from their classes."""
    tree = ast.parse((ROOT / "dags" / "mwaa_migrator" / "errors.py").read_text(encoding="utf-8"))
    codes: dict[str, int] = {}
    rows = []
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        base = node.bases[0].id if isinstance(node.bases[0], ast.Name) else ""
        own = [item.value for item in node.body if isinstance(item, ast.Assign)]
        codes[node.name] = int(ast.literal_eval(own[0])) if own else codes[base]
        if node.name not in ("MigratorError", "Refused"):
            rows.append(f"| `{node.name}` | {codes[node.name]} | {_cell(ast.get_docstring(node) or '')} |")
    return "\n".join(["| error | exit code | what it means |", "| --- | --- | --- |", *rows])


def picture() -> str:
    """The migrate state machine as a Mermaid flowchart: its tasks, and which follows which when all goes well."""
    states = definition("migrate")["States"]
    lines = ["```mermaid", "flowchart LR"]
    for name, state in states.items():
        if state["Type"] == "Task":
            lines += [f"    {name} --> {follower}" for follower in _followers(states, name) if follower != name]
    failing = [name for name, state in states.items() if state.get("Catch", [{}])[0].get("Next") == "RollBack"]
    lines += [f"    {failing[0]} -. any failure up to {failing[-1]} .-> RollBack", "```"]
    return "\n".join(lines)


def _followers(states: Content, name: str) -> list[str]:
    """The tasks and ends that come next, through whatever chooses and waits between them."""
    found: list[str] = []
    seen: set[str] = set()
    waiting = [states[name]["Next"]]
    while waiting:
        following = waiting.pop(0)
        if following in seen:
            continue
        seen.add(following)
        state = states[following]
        if state["Type"] in ("Task", "Succeed", "Fail"):
            found.append(following)
            continue
        waiting += [choice["Next"] for choice in state.get("Choices", [])]
        waiting += [state[key] for key in ("Next", "Default") if key in state]
    return found


def comparison() -> str:
    """How `mwaa-migrator compare` is called, and what it printed."""
    names = " ".join(example_comparison.ARGUMENTS)
    lines = [f"mwaa-migrator compare {names}", "", *example_comparison.output().splitlines()]
    return "\n".join(f"    {line}".rstrip() for line in lines).rstrip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PARTS: dict[str, Callable[[], str]] = {
    "input": input_reference,
    "report": report_reference,
    "command_line": command_line,
    "commands": commands,
    "parameters": parameters,
    "functions_in_vpc": functions_in_vpc,
    "states": states,
    "log_states": log_states,
    "log_input": lambda: input_reference("logs/copy_logs.schema.json"),
    "permissions": permissions,
    "failures": failures,
    "bad_input": bad_input,
    "engine_failures": engine_failures,
    "picture": picture,
    "comparison": comparison,
}


def renewed(page: str) -> str:
    """A page with its generated parts made anew."""

    def part(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- generated: {name} -->\n\n{PARTS[name]()}\n\n<!-- end of {name} -->"

    return re.sub(r"<!-- generated: (?P<name>\w+) -->.*?<!-- end of (?P=name) -->", part, page, flags=re.DOTALL)


def main() -> None:
    for file in PAGES:
        before = file.read_text(encoding="utf-8")
        after = renewed(before)
        if after != before:
            file.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{file.relative_to(ROOT)}: renewed\n")


if __name__ == "__main__":
    main()
