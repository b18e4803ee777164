"""Reads a SAM template, and changes what moto's CloudFormation does not understand in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import intrinsics_multi_constructor  # type: ignore[import-untyped]


class _Loader(yaml.CSafeLoader):
    """libyaml's, which reads a template in a tenth of the time, with CloudFormation's functions."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


def read(file: Path) -> dict[str, Any]:
    """A file of YAML, or of JSON, which is YAML too."""
    # bandit: the loader is a safe one.
    document: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # nosec B506
    return document


def inline_definitions(document: dict[str, Any], folder: Path) -> None:
    """Puts the state machines' definitions, which are in files of `folder`, into the template."""
    for resource in document["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::StateMachine" and isinstance(properties.get("DefinitionUri"), str):
            properties["Definition"] = read(folder / properties.pop("DefinitionUri"))


def substitute(value: Any, names: Mapping[str, str]) -> Any:
    """Puts values in the place of parameters, in references and in the texts of Fn::Sub."""
    if isinstance(value, dict):
        if len(value) == 1 and value.get("Ref") in names:
            return names[value["Ref"]]
        return {key: substitute(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [substitute(inner, names) for inner in value]
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(f"${{{name}}}", text)
    return value


def take(document: dict[str, Any], resource_type: str) -> dict[str, dict[str, Any]]:
    """Removes the resources of a type, and the stack's outputs that mention them; returns the resources."""
    taken = {i: r for i, r in document["Resources"].items() if r["Type"] == resource_type}
    for logical_id in taken:
        del document["Resources"][logical_id]
    outputs = document.get("Outputs", {})
    for name in [n for n, o in outputs.items() if _mentions(o, set(taken))]:
        del outputs[name]
    return taken


def _mentions(value: Any, logical_ids: set[str]) -> bool:
    if isinstance(value, dict):
        return any(
            (key == "Ref" and inner in logical_ids)
            or (
                key == "Fn::GetAtt" and str(inner[0] if isinstance(inner, list) else inner).split(".")[0] in logical_ids
            )
            or _mentions(inner, logical_ids)
            for key, inner in value.items()
        )
    return isinstance(value, list) and any(_mentions(inner, logical_ids) for inner in value)


def inline_substitutions(document: dict[str, Any]) -> None:
    """Writes DefinitionSubstitutions, which moto does not know, as the Fn::Sub that they are."""
    for resource in document["Resources"].values():
        if resource["Type"] != "AWS::StepFunctions::StateMachine":
            continue
        properties = resource["Properties"]
        substitutions = properties.pop("DefinitionSubstitutions", {})
        definition = properties.get("DefinitionString")
        text = "".join(definition["Fn::Join"][1]) if isinstance(definition, dict) else str(definition)
        # Only the names that are substituted are placeholders; any other `${` belongs to the definition.
        escaped = text.replace("${", "${!")
        for name in substitutions:
            escaped = escaped.replace(f"${{!{name}}}", f"${{{name}}}")
        properties["DefinitionString"] = {"Fn::Sub": [escaped, substitutions]} if substitutions else text


def intrinsics(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Each intrinsic function in a resource's properties, with its path."""
    if isinstance(value, dict):
        if len(value) == 1 and (next(iter(value)) == "Ref" or next(iter(value)).startswith("Fn::")):
            return [(path, value)]
        return [found for key, inner in value.items() for found in intrinsics(inner, (*path, str(key)))]
    if isinstance(value, list):
        return [found for i, inner in enumerate(value) for found in intrinsics(inner, (*path, str(i)))]
    return []
