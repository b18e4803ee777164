"""Reads definitions from files, in every form that Data Pipeline and its tools write.

| form | written by | known by |
| --- | --- | --- |
| export | the console, in one file, or in three with parameters and values apart | `objects`, `parameters`, `values` |
| API | `aws datapipeline get-pipeline-definition`, the SDKs | `pipelineObjects` with `key`, `stringValue`, `refValue` |
| CloudFormation | templates in JSON or YAML | resources of the type `AWS::DataPipeline::Pipeline` |

The forms mix: some tools write objects of the API's form under the export's key, so each object is read as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import cloudformation, lenient_json
from .model import Definition, Parameter, PipelineObject, Reference, Value
from .problems import DefinitionRefused, Problem

_OBJECTS = ("objects", "pipelineObjects", "PipelineObjects")
_PARAMETERS = ("parameters", "parameterObjects", "ParameterObjects")
_VALUES = ("values", "parameterValues", "ParameterValues")


@dataclass(frozen=True)
class _Part:
    """What one file holds of a definition; a key that it does not have is None."""

    source: str
    name: str
    description: str = ""
    objects: Any = None
    parameters: Any = None
    values: Any = None


def read(files: Sequence[Path]) -> list[Definition]:
    """The definitions in some files, in their order.

    A file that has only parameters or only values belongs to the definition before it; where there is one definition,
    the order does not matter.

    Raises:
        DefinitionRefused: a file is no pipeline's definition, or what it has cannot be read.
        OSError: a file cannot be read.
    """
    found = []
    for item in read_each(files):
        if isinstance(item, DefinitionRefused):
            raise item
        found.append(item)
    return found


def read_each(files: Sequence[Path]) -> list[Definition | DefinitionRefused]:
    """The same, with the refusals among the definitions: what is wrong with one file says nothing of the others.

    Raises:
        OSError: a file cannot be read.
    """
    parts: list[_Part] = []
    found: list[Definition | DefinitionRefused] = []
    for file in files:
        try:
            parts.extend(_parts_of(file))
        except DefinitionRefused as refused:
            found.append(refused)
    if any(part.objects is not None for part in parts):
        for group in _grouped(parts):
            try:
                found.append(_definition(group))
            except DefinitionRefused as refused:
                found.append(refused)
    elif parts:
        problem = Problem(
            "", "", "there are parameters or values, but no objects; name the file that has the objects too."
        )
        found.append(DefinitionRefused(", ".join(part.source for part in parts), [problem]))
    return found


def definition_of(source: str, name: str, document: Mapping[str, Any], description: str = "") -> Definition:
    """The definition in one document: an export, or an answer to GetPipelineDefinition.

    Raises:
        DefinitionRefused: it has no object, or objects without an id.
    """
    return _definition([_part(source, name, description, document)])


def _definition(parts: Sequence[_Part]) -> Definition:
    """One definition from the parts of it."""
    head = next(part for part in parts if part.objects is not None)
    problems: list[Problem] = []
    objects: dict[str, PipelineObject] = {}
    for number, item in enumerate(_list(head.objects), start=1):
        found = _object(item)
        if found is None:
            problems.append(Problem(f"object {number}", "id", "it has no id, by which others refer to it."))
        elif found.id in objects:
            problems.append(Problem(found.id, "id", "two objects have this id; references to it are ambiguous."))
        else:
            objects[found.id] = found
    if not objects and not problems:
        problems.append(Problem("", "", "it has no object, so there is nothing to translate."))
    parameters = _parameters(parts, problems)
    if problems:
        raise DefinitionRefused(head.source, problems)
    return Definition(head.name, head.source, objects, parameters, head.description)


def _parts_of(file: Path) -> list[_Part]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DefinitionRefused(str(file), [Problem("", "", f"it is not text in UTF-8: {error}.")]) from error
    stem = re.sub(r"[-_.]?(pipeline)?[-_.]?definition$", "", file.stem, flags=re.IGNORECASE) or file.stem
    if file.suffix.lower() in (".yaml", ".yml", ".template") and not text.lstrip().startswith("{"):
        document = cloudformation.load_yaml(text, str(file))
    else:
        try:
            document = lenient_json.loads(text)
        except ValueError as error:
            raise DefinitionRefused(str(file), [Problem("", "", f"it is no JSON: {error}.")]) from error
    if cloudformation.is_template(document):
        pipelines = cloudformation.pipelines(document, str(file))
        return [
            _part(f"{file}, resource {pipeline.logical_id}", pipeline.name, pipeline.description, pipeline.properties)
            for pipeline in pipelines
        ]
    found = _part(str(file), stem, "", document if isinstance(document, Mapping) else {})
    if found.objects is None and found.parameters is None and found.values is None:
        raise DefinitionRefused(str(file), [Problem("", "", _stranger(document))])
    return [found]


def _part(source: str, name: str, description: str, document: Mapping[str, Any]) -> _Part:
    def one(keys: tuple[str, ...]) -> Any:
        return next((document[key] for key in keys if key in document), None)

    return _Part(source, name, description, one(_OBJECTS), one(_PARAMETERS), one(_VALUES))


def _grouped(parts: Iterable[_Part]) -> list[list[_Part]]:
    groups: list[list[_Part]] = []
    before: list[_Part] = []
    for part in parts:
        if part.objects is not None:
            groups.append([part])
        elif groups:
            groups[-1].append(part)
        else:
            before.append(part)
    groups[0].extend(before)
    return groups


def _stranger(document: Any) -> str:
    """Says that a document is something else, and what if that can be told."""
    expected = "a definition has `objects` (console), `pipelineObjects` (API) or is a CloudFormation template"
    if not isinstance(document, Mapping):
        return f"it is no pipeline definition but a JSON {type(document).__name__}; {expected}."
    known = {
        ("StartAt", "States"): "a state machine of Step Functions",
        ("tasks", "dag_id"): "an Airflow DAG",
        ("Resources",): "a CloudFormation template without a resource of the type AWS::DataPipeline::Pipeline",
        ("workflow-app",): "an Oozie workflow",
        ("Statement",): "an IAM policy",
    }
    for keys, name in known.items():
        if all(key in document for key in keys):
            return f"it is {name}, not a pipeline definition; {expected}."
    present = ", ".join(sorted(map(str, document))[:5]) or "none"
    return f"it is no pipeline definition (its keys: {present}); {expected}."


def _object(item: Any) -> PipelineObject | None:
    if not isinstance(item, Mapping):
        return None
    object_id = str(item.get("id") or item.get("Id") or "")
    if not object_id:
        return None
    fields: dict[str, tuple[Value, ...]] = {}
    for field in _list(item.get("fields") or item.get("Fields")):
        if isinstance(field, Mapping):
            key = str(field.get("key") or field.get("Key") or "")
            fields[key] = (*fields.get(key, ()), *_values(field))
    for key, value in item.items():
        if key not in ("id", "Id", "name", "Name", "fields", "Fields"):
            fields[key] = tuple(_flattened(value))
    name = str(item.get("name") or item.get("Name") or object_id)
    return PipelineObject(object_id, name, fields, dict.fromkeys(fields, object_id))


def _values(field: Mapping[str, Any]) -> tuple[Value, ...]:
    """The values of a field in the API's form."""
    reference = field.get("refValue") or field.get("RefValue")
    if reference:
        return (Reference(str(reference)),)
    return tuple(_flattened(field.get("stringValue", field.get("StringValue"))))


def _flattened(value: Any) -> Iterable[Value]:
    """The values of a field in the export's form: a scalar, a reference, or a list of them."""
    if value is None:
        return
    if isinstance(value, Mapping):
        if "ref" in value:
            yield Reference(str(value["ref"]))
        else:
            yield from _values(value)
    elif isinstance(value, list):
        for item in value:
            yield from _flattened(item)
    else:
        yield _text(value)


def _parameters(parts: Sequence[_Part], problems: list[Problem]) -> dict[str, Parameter]:
    parameters: dict[str, Parameter] = {}
    values: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for item in _list(part.parameters):
            found = _parameter(item)
            if found is None:
                problems.append(Problem("", "parameters", "a parameter has no id."))
            else:
                parameters[found.id] = found
        values |= _given(part.values)
    given = {name.removeprefix("*"): value for name, value in values.items()}
    return {
        name: replace(parameter, values=given.get(parameter.name) or parameter.values)
        for name, parameter in parameters.items()
    } | {
        # Values without a parameter object: the service takes them, so they are parameters all the same.
        name: Parameter(name, values=value)
        for name, value in values.items()
        if not {name, f"*{name}", name.removeprefix("*")} & parameters.keys()
    }


def _parameter(item: Any) -> Parameter | None:
    if not isinstance(item, Mapping) or not (item.get("id") or item.get("Id")):
        return None
    attributes: dict[str, tuple[str, ...]] = {}
    for attribute in _list(item.get("attributes") or item.get("Attributes")):
        key = str(attribute.get("key") or attribute.get("Key"))
        attributes[key] = (*attributes.get(key, ()), *_strings(attribute))
    for key, plain in item.items():
        if key not in ("id", "Id", "attributes", "Attributes"):
            attributes[key] = tuple(text for text in _flattened(plain) if isinstance(text, str) and text)

    def one(name: str, default: str = "") -> str:
        return next(iter(attributes.get(name, ())), default)

    return Parameter(
        id=str(item.get("id") or item.get("Id")),
        type=one("type", "String"),
        description=one("description"),
        is_optional=one("optional").lower() == "true",
        is_array=one("isArray").lower() == "true",
        allowed=attributes.get("allowedValues", ()),
        values=attributes.get("default", ()),
    )


def _given(values: Any) -> dict[str, tuple[str, ...]]:
    """The values by parameter, from the export's mapping or the API's list; empty strings are no values."""
    given: dict[str, tuple[str, ...]] = {}
    if isinstance(values, Mapping):
        pairs = [(str(name), _flattened(value)) for name, value in values.items()]
    else:
        pairs = [
            (str(item.get("id") or item.get("Id")), _values(item))
            for item in _list(values)
            if isinstance(item, Mapping)
        ]
    for name, found in pairs:
        given[name] = (*given.get(name, ()), *(text for text in found if isinstance(text, str) and text))
    return given


def _strings(attribute: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(text for text in _values(attribute) if isinstance(text, str) and text)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    """A scalar as Data Pipeline keeps it: every value is a string there."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
