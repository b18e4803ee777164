"""Writes the parts of the documentation that have a source: `make generate`. A test fails when one is stale.

A page marks such a part with `<!-- generated: NAME -->` and `<!-- end of NAME -->`; what stands between is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from local.installations.folders import ROOT
from mwaa_migrator_cli.commands import cli
from mwaa_migrator_cli.doctor.examination import CHECKS
from tools import error_tables, example_comparison, schema_tables, vpc_endpoints
from tools.markdown_table import cell, table
from tools.renewing import renew
from tools.state_machines import definition
from tools.template import Content, statements, tasks, template

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def command_line() -> str:
    """The help text of `mwaa-migrator` and of each of its commands."""
    names = cli.context_settings["help_option_names"]
    above = click.Context(cli, info_name="mwaa-migrator", terminal_width=100, help_option_names=names)
    commands = [cli.commands[name] for name in cli.list_commands(above)]
    below = [click.Context(command, above, command.name, terminal_width=100) for command in commands]
    return "\n\n".join(_help(context.command, context) for context in (above, *below))


def _help(command: click.Command, context: click.Context) -> str:
    return f"### {context.command_path}\n\n```text\n{command.get_help(context)}\n```"


def doctor_checks() -> str:
    """What doctor asks, by check."""
    rows = [
        f"| {check.name} | {check.question} | {cell(check.expected)} | {cell(check.meaning)} "
        f"| {'yes' if check.stops else ''} |"
        for check in CHECKS
    ]
    return table(("check", "question", "expected", "otherwise", "stops a migration"), rows)


def commands() -> str:
    """What make does, from the comments beside its targets."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rows = [
        f"| `make {name}` | {cell(text)} |" for name, text in re.findall(r"^([a-z0-9]+):.*? ## (.+)$", makefile, re.M)
    ]
    return table(("command", "what it does"), rows)


def parameters() -> str:
    """The stack's parameters."""
    rows = [
        f"| `{name}` | `{_shown(content.get('Default', ''))}` | {cell(content['Description'])} |"
        for name, content in template()["Parameters"].items()
    ]
    return table(("parameter", "default", "what it is"), rows)


def _shown(default: Any) -> str:
    return str(default) or '""'


def functions_in_vpc() -> str:
    """The functions that run in the VPC whose subnets the stack is given."""
    described = {name: properties["Description"] for name, properties in vpc_endpoints.functions_in_vpc().items()}
    return "\n".join(f"- `{name}`: {text[0].lower()}{text[1:]}" for name, text in described.items())


def states() -> str:
    """The migrate state machine's tasks in the order of the file."""
    rows = []
    for name, state in definition("migrate")["States"].items():
        if state["Type"] == "Task":
            fails = state["Catch"][0]["Next"]
            rows.append(f"| {name} | {_implementation(state)} | {cell(state['Comment'])} | {fails} |")
    return table(("state", "function", "what it does", "a failure leads to"), rows)


def log_states() -> str:
    """The tasks of the state machine that copies logs."""
    rows = [
        f"| {name} | {_implementation(state)} | {cell(state['Comment'])} |"
        for name, state in tasks("copy_logs").items()
    ]
    return table(("state", "function", "what it does"), rows)


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
        said = table(("statement", "actions", "resources", "only if"), rows)
        parts.append(f"### {name}\n\n{about}.\n\n{said}")
    return "\n\n".join(parts)


def _condition(condition: Content) -> str:
    return "<br>".join(
        f"`{key}` {operator} {', '.join(f'`{value}`' for value in (values if isinstance(values, list) else [values]))}"
        for operator, tests in condition.items()
        for key, values in tests.items()
    )


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


PARTS: dict[str, Callable[[], str]] = {
    "input": schema_tables.input_reference,
    "report": schema_tables.report_reference,
    "command_line": command_line,
    "doctor_checks": doctor_checks,
    "commands": commands,
    "parameters": parameters,
    "functions_in_vpc": functions_in_vpc,
    "vpc_endpoints": vpc_endpoints.page,
    "states": states,
    "log_states": log_states,
    "log_input": lambda: schema_tables.input_reference("logs/copy_logs.schema.json"),
    "permissions": permissions,
    "failures": error_tables.failures,
    "bad_input": error_tables.bad_input,
    "engine_failures": error_tables.engine_failures,
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
        renew(file, renewed(file.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
