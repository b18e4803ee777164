"""Finds the pipelines in a CloudFormation template and resolves the intrinsic functions in them.

What the template alone decides (parameters with a default, mappings, conditions) becomes a value. What only a stack
knows (a parameter without default, another resource's attribute, an import) becomes a parameter of the pipeline, so
that the DAG reads it where it reads its other parameters.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from .problems import DefinitionRefused, Problem

_TYPE = "AWS::DataPipeline::Pipeline"
_PSEUDO = "AWS::"
#: Stands for AWS::NoValue, which removes the property.
_NOTHING = object()


@dataclass(frozen=True)
class Pipeline:
    """A pipeline's resource: its properties are plain values in the API's form, capitalised."""

    logical_id: str
    name: str
    description: str
    properties: Mapping[str, Any]


def is_template(document: Any) -> bool:
    """Whether a document is a template that has a pipeline."""
    resources = document.get("Resources") if isinstance(document, Mapping) else None
    return isinstance(resources, Mapping) and any(
        isinstance(resource, Mapping) and resource.get("Type") == _TYPE for resource in resources.values()
    )


def load_yaml(text: str, source: str) -> Any:
    """A template in YAML, its short functions (`!Ref`, `!Sub`) as their long forms.

    Raises:
        DefinitionRefused: it is no YAML.
    """
    try:
        # bandit: the loader is a SafeLoader that knows CloudFormation's tags besides.
        return yaml.load(text, _Loader)  # nosec B506
    except yaml.YAMLError as error:
        raise DefinitionRefused(source, [Problem("", "", f"it is no YAML: {error}")]) from error


def pipelines(template: Mapping[str, Any], source: str) -> list[Pipeline]:
    """The pipelines of a template, in its order.

    Raises:
        DefinitionRefused: a function in them is unknown or wrongly written. All problems at once.
    """
    found = []
    problems: list[Problem] = []
    for logical_id, resource in template["Resources"].items():
        if not isinstance(resource, Mapping) or resource.get("Type") != _TYPE:
            continue
        resolver = _Resolver(template, logical_id, problems)
        properties = resolver.resolved(resource.get("Properties") or {})
        properties["ParameterObjects"] = [*(properties.get("ParameterObjects") or []), *resolver.parameters.values()]
        name = properties.get("Name")
        plain = isinstance(name, str) and "#{" not in name
        found.append(
            Pipeline(logical_id, name if plain else logical_id, str(properties.get("Description") or ""), properties)
        )
    if problems:
        raise DefinitionRefused(source, problems)
    return found


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's tags."""


def _tagged(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tagged)
# A date without quotes is text to CloudFormation too.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: str(node.value))


class _Unresolvable(Exception):
    """A function's value is not known without a stack."""


class _Resolver:
    """Resolves the functions in one resource; `parameters` collects what the stack alone knows."""

    def __init__(self, template: Mapping[str, Any], logical_id: str, problems: list[Problem]) -> None:
        self._template = template
        self._logical_id = logical_id
        self._problems = problems
        self.parameters: dict[str, dict[str, Any]] = {}
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": self._if,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::GetAtt": self._get_att,
            "Fn::ImportValue": self._import_value,
            "Fn::Base64": self._base64,
        }

    def resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            items = [self.resolved(item) for item in value]
            return [item for item in items if item is not _NOTHING]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            name = next(iter(value))
            if name in self._functions:
                try:
                    return self._functions[name](value[name])
                except (TypeError, ValueError, KeyError, IndexError):
                    self._problem(f"{name} is not written as CloudFormation has it: {value[name]!r}.")
                    return ""
            if isinstance(name, str) and name.startswith("Fn::"):
                self._problem(f"the function {name} is not known here; write the value in its place.")
                return ""
        pairs = {key: self.resolved(item) for key, item in value.items()}
        return {key: item for key, item in pairs.items() if item is not _NOTHING}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        parameter = (self._template.get("Parameters") or {}).get(name)
        if parameter is None:
            kind = "pseudo parameter" if name.startswith(_PSEUDO) else "resource"
            return self._left_to_the_stack(name, f"The stack's {kind} {name}.")
        secret = str(parameter.get("NoEcho", "")).lower() == "true"
        if "Default" in parameter and not secret:
            default = parameter["Default"]
            return str(default) if not isinstance(default, bool) else str(default).lower()
        described = str(parameter.get("Description") or f"The stack's parameter {name}.")
        return self._left_to_the_stack(name, described, secret=secret)

    def _sub(self, value: Any) -> str:
        text, names = (value, {}) if isinstance(value, str) else (value[0], value[1])

        def replaced(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in names:
                return str(self.resolved(names[name]))
            return str(self._get_att(name.split(".", 1)) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}]*)\}", replaced, text)

    def _join(self, value: Any) -> str:
        separator, items = value
        return str(separator).join(str(item) for item in self.resolved(items))

    def _find_in_map(self, value: Any) -> Any:
        name, first, second = (self.resolved(item) for item in value[:3])
        found = self._template["Mappings"][name]
        if first not in found and isinstance(first, str) and first.startswith("#{"):
            return self._left_to_the_stack(f"{name}_{second}", f"{second} in the template's mapping {name}.")
        return found[first][second]

    def _if(self, value: Any) -> Any:
        name, yes, no = value
        try:
            return self.resolved(yes if self._holds({"Condition": name}) else no)
        except _Unresolvable:
            self._problem(f"the condition {name} depends on what only the stack knows; write the value in its place.")
            return ""

    def _select(self, value: Any) -> Any:
        index, items = value
        return self.resolved(items)[int(index)]

    def _split(self, value: Any) -> list[str]:
        separator, text = value
        return str(self.resolved(text)).split(separator)

    def _get_att(self, value: Any) -> str:
        resource, attribute = value
        name = f"{resource}_{attribute}"
        return self._left_to_the_stack(name, f"The attribute {attribute} of the stack's resource {resource}.")

    def _import_value(self, value: Any) -> str:
        name = str(self.resolved(value))
        return self._left_to_the_stack(name, f"The value that another stack exports as {name}.")

    def _base64(self, value: Any) -> str:
        return base64.b64encode(str(self.resolved(value)).encode()).decode()

    def _holds(self, condition: Any) -> bool:
        ((name, value),) = condition.items()
        if name == "Condition":
            return self._holds(self._template["Conditions"][value])
        if name == "Fn::Not":
            return not self._holds(value[0])
        if name in ("Fn::And", "Fn::Or"):
            held = [self._holds(item) for item in value]
            return all(held) if name == "Fn::And" else any(held)
        if name != "Fn::Equals":
            raise ValueError(name)
        left, right = (self.resolved(item) for item in value)
        if any(isinstance(side, str) and side.startswith("#{") for side in (left, right)):
            raise _Unresolvable
        return str(left) == str(right)

    def _left_to_the_stack(self, name: str, description: str, *, secret: bool = False) -> str:
        """An expression for a parameter that stands for the value."""
        star = "*" if secret else ""
        identifier = star + re.sub(r"\W+", "_", name).strip("_")
        attributes = [{"Key": "description", "StringValue": description}]
        self.parameters[identifier] = {"Id": identifier, "Attributes": attributes}
        return f"#{{{identifier}}}"

    def _problem(self, message: str) -> None:
        self._problems.append(Problem(self._logical_id, "", message))
