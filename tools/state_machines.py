"""Makes the definitions that are deployed from those that are read: `make generate`. A test fails when one is stale.

A source, `statemachine/NAME.yaml`, is in the Amazon States Language, but for two things. A state may name what it
retries and catches; the names are in `statemachine/failures.yaml`. And a state with a `Function` is a task that invokes
it with the execution's name and the state's `Payload`, outputs the answer unless it has an `Output`, and retries what
passes by itself unless it has a `Retry`. What is deployed is JSON, because CloudFormation's reader of a definition
resolves neither anchors nor tags of YAML.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from tools.renewing import renew

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "statemachine"
DEPLOYED = SOURCES / "deployed"
STATE_ORDER = ROOT / "mwaa_migrator_cli" / "state_order.py"
NAMES = ("migrate", "copy_logs", "rehearse")

#: What a state that invokes a function retries, unless it says something else.
RETRY = ("transient", "function is not ready")

Content = dict[str, Any]


class InvalidSource(Exception):
    """A source has something twice, lacks something, or has a name that failures.yaml does not define."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice; YAML's own loader would take the last of two states with one name."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidSource(f"{', '.join(twice)} is there twice {node.start_mark}".strip())
        return super().construct_mapping(node, deep)


def definition(name: str) -> Content:
    """A state machine with what its states name in its place.

    Raises:
        InvalidSource: a key is there twice or missing, or a name is not defined.
    """
    content = _read(SOURCES / f"{name}.yaml")
    _resolve(content["States"], _read(SOURCES / "failures.yaml"))
    return content


def state_order() -> str:
    """The module that has the names of the migrate state machine's states, for who has no definition at hand."""
    names = "".join(f'    "{name}",\n' for name in definition("migrate")["States"])
    about = "The migrate state machine's states in their order, made of statemachine/migrate.yaml by `make generate`."
    return f'"""{about}"""\n\nfrom __future__ import annotations\n\nSTATES = (\n{names})\n'


def text(name: str) -> str:
    """A definition as it is deployed."""
    return json.dumps(definition(name), indent=2, ensure_ascii=False) + "\n"


def _read(file: Path) -> Content:
    content: Content = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)
    return content


def _resolve(states: Content, named: Content) -> None:
    for state_name, state in states.items():
        if "Function" in state:
            states[state_name] = state = _invocation(state_name, state)
        for key in state.keys() & {"Retry", "Catch"}:
            unknown = [item for item in state[key] if isinstance(item, str) and item not in named[key]]
            if unknown:
                raise InvalidSource(f"{state_name} has the {key} {unknown[0]!r}, which failures.yaml does not define")
            state[key] = [one for item in state[key] for one in (named[key][item] if isinstance(item, str) else [item])]
        _resolve(state.get("ItemProcessor", {}).get("States", {}), named)


def _invocation(name: str, state: Content) -> Content:
    """The task that a state with a `Function` is."""
    rest = dict(state)
    missing = [key for key in ("Comment", "TimeoutSeconds") if key not in rest]
    if missing:
        raise InvalidSource(f"{name} invokes a function and has no {' and no '.join(missing)}")
    arguments = {
        "FunctionName": f"${{{rest.pop('Function')}FunctionArn}}",
        "Payload": {"execution": "{% $states.context.Execution.Name %}", **rest.pop("Payload", {})},
    }
    before = {key: rest.pop(key) for key in ("Assign",) if key in rest}
    return {
        "Type": "Task",
        "Comment": rest.pop("Comment"),
        "Resource": "arn:${Partition}:states:::lambda:invoke",
        "TimeoutSeconds": rest.pop("TimeoutSeconds"),
        "Arguments": arguments,
        "Output": rest.pop("Output", "{% $states.result.Payload %}"),
        **before,
        "Retry": rest.pop("Retry", list(RETRY)),
        **rest,
    }


def main() -> None:
    DEPLOYED.mkdir(exist_ok=True)
    for name in NAMES:
        renew(DEPLOYED / f"{name}.asl.json", text(name))
    renew(STATE_ORDER, state_order())


if __name__ == "__main__":
    main()
