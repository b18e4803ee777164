"""Takes every secret value out of a definition before anything is made of it.

What is secret: the values of starred fields (`*password`) and starred parameters; the values of fields and parameters
that a starred field is fed by, starred or not; passwords inside connection strings; and each of these values wherever
else it is written. In their place stands an expression that names a secret parameter, so that what follows cannot print
one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from .expressions import syntax
from .model import Definition, Parameter, PipelineObject, Value

#: A text that the service gives in place of a secret.
_MASK = re.compile(r"\*+")
_PASSWORD = re.compile(r"(?P<before>(?:password|passwd|pwd)\s*=\s*)(?P<secret>[^&;,\s#]+)", re.IGNORECASE)
_USER_INFO = re.compile(r"(?P<before>://[^/:@\s]+:)(?P<secret>[^/@\s#]+)(?=@)")
#: Shorter values occur by chance; they count where they stand as a word.
_LONG = 8
_SHORTEST = 4


def take_out(definition: Definition) -> Definition:
    """The definition without any secret value, secret parameters marked as such."""
    secret_ids, secret_fields = _secret(definition)
    parameters = {
        name: replace(parameter, is_secret=name in secret_ids) for name, parameter in definition.parameters.items()
    }
    hidden: dict[str, str] = {
        value: name
        for name, parameter in parameters.items()
        if parameter.is_secret
        for value in parameter.values
        if not _MASK.fullmatch(value)
    }
    objects = {}
    for object_id, found in definition.objects.items():
        fields = dict(found.fields)
        for name, values in found.fields.items():
            is_secret = (object_id, name) in secret_fields
            fields[name] = tuple(
                _hide_literals(found, name, value, parameters, hidden, is_secret=is_secret) for value in values
            )
        objects[object_id] = replace(found, fields=fields)
    patterns = _patterns(hidden)
    return replace(
        definition,
        name=_masked(definition.name, patterns),
        description=_masked(definition.description, patterns),
        objects={object_id: _covered(found, patterns) for object_id, found in objects.items()},
        parameters={name: _emptied(parameter, patterns) for name, parameter in parameters.items()},
    )


def _secret(definition: Definition) -> tuple[set[str], set[tuple[str, str]]]:
    """The ids of the parameters, and the objects and fields, that are starred or feed a starred field in the end."""
    secret = {name for name in definition.parameters if name.startswith("*")}
    followed: set[tuple[str, str]] = set()
    pending = [(found, name) for found in definition.objects.values() for name in found.fields if name.startswith("*")]
    while pending:
        found, name = pending.pop()
        if (found.id, name) in followed:
            continue
        followed.add((found.id, name))
        for path in (path for text in found.texts(name) for path in syntax.names(text)):
            parameter = definition.parameter(path[0]) if len(path) == 1 else None
            if parameter is not None:
                secret.add(parameter.id)
                pending.extend((_stand_in(text), "text") for text in parameter.values)
            elif path[0] in found.fields and len(path) == 1:
                pending.append((found, path[0]))
            else:
                referred = [definition.objects[key] for key in found.references(path[0]) if key in definition.objects]
                pending.extend((item, path[-1]) for item in referred)
    return secret, followed


def _stand_in(text: str) -> PipelineObject:
    """A parameter's value as a field, so that what it names is followed too."""
    return PipelineObject(f"value {text}", "", {"text": (text,)})


def _hide_literals(
    found: PipelineObject,
    name: str,
    value: Value,
    parameters: dict[str, Parameter],
    hidden: dict[str, str],
    *,
    is_secret: bool,
) -> Value:
    """A field's value, what is secret in it given to a parameter of its own and noted in `hidden`."""

    def parameter_for(secret: str) -> str:
        known = hidden.get(secret)
        if known is not None:
            return known
        field = name.removeprefix("*") if name.startswith("*") else "password"
        base = "*" + re.sub(r"\W+", "_", f"{found.id}_{field}")
        identifier, number = base, 1
        while identifier in parameters:
            number += 1
            identifier = f"{base}_{number}"
        parameters[identifier] = Parameter(identifier, description=f"{found.id}.{name}", is_secret=True)
        hidden[secret] = identifier
        return identifier

    if not isinstance(value, str) or not value:
        return value
    if is_secret:
        if _MASK.fullmatch(value):
            # The service masks what it keeps: the value is secret, and it is unknown here.
            return f"#{{{parameter_for(f'{found.id}.{name} {value}')}}}"
        literals = syntax.literals(value)
        if not literals:
            return value
        secret_id = parameter_for(value)
        # Each part of it alone is secret too.
        for literal in literals:
            hidden.setdefault(literal, secret_id)
        return f"#{{{secret_id}}}"
    if name in ("connectionString", "jdbcProperties"):
        for pattern in (_PASSWORD, _USER_INFO):
            value = pattern.sub(lambda match: f"{match['before']}#{{{parameter_for(match['secret'])}}}", value)
    return value


def _patterns(hidden: Mapping[str, str]) -> list[tuple[re.Pattern[str], str]]:
    """What finds each secret value in a text, the longest first, with its parameter."""
    found = []
    for value, name in sorted(hidden.items(), key=lambda item: (-len(item[0]), item[0])):
        if len(value) >= _LONG:
            found.append((re.compile(re.escape(value)), name))
        elif len(value) >= _SHORTEST:
            found.append((re.compile(rf"(?<!\w){re.escape(value)}(?!\w)"), name))
    return found


def _covered(found: PipelineObject, patterns: list[tuple[re.Pattern[str], str]]) -> PipelineObject:
    fields = {
        name: tuple(_replaced(value, patterns) if isinstance(value, str) else value for value in values)
        for name, values in found.fields.items()
    }
    return replace(found, name=_masked(found.name, patterns), fields=fields)


def _emptied(parameter: Parameter, patterns: list[tuple[re.Pattern[str], str]]) -> Parameter:
    values = () if parameter.is_secret else tuple(_replaced(value, patterns) for value in parameter.values)
    return replace(parameter, values=values, description=_masked(parameter.description, patterns))


def _replaced(text: str, patterns: list[tuple[re.Pattern[str], str]]) -> str:
    for pattern, name in patterns:
        text = pattern.sub(f"#{{{name}}}", text)
    return text


def _masked(text: str, patterns: list[tuple[re.Pattern[str], str]]) -> str:
    for pattern, _ in patterns:
        text = pattern.sub("*****", text)
    return text
