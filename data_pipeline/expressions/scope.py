"""What names mean where an expression stands, and the evaluation of a field's text there."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..model import Definition, Parameter, PipelineObject, Reference
from . import functions, syntax
from .values import Atom, Deferred, Plain, Text, type_of


class NotEvaluated(Exception):
    """A text cannot be evaluated: it does not parse, names nothing, or gives a function what it does not take."""


@dataclass(frozen=True)
class Runtime:
    """The values of a run (`@scheduledStartTime`), as Jinja by name without the @, and the names of variables.

    `variables` has, by parameter id, the Airflow variable of each parameter that is read from one: those whose value is
    secret, and those that have no value.
    """

    values: Mapping[str, Atom]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scope:
    """A place in a definition: the object whose field is evaluated, and the one that refers to it (`node`).

    `node` is set for alarms and preconditions. `evaluating` are the fields on the way here, to find circles.
    """

    definition: Definition
    object: PipelineObject
    runtime: Runtime
    node: PipelineObject | None = None
    evaluating: tuple[tuple[str, str], ...] = ()

    def at(self, object_id: str) -> Scope:
        """The scope of another object."""
        return replace(self, object=self.definition.objects[object_id], node=None)

    def evaluated(self, name: str) -> tuple[Text, ...]:
        """The texts of a field; a list in an expression makes one text of each of its items.

        Raises:
            NotEvaluated: see there.
        """
        place = (self.object.id, name)
        if place in self.evaluating:
            way = " -> ".join(".".join(step) for step in (*self.evaluating, place))
            raise NotEvaluated(f"the field refers to itself: {way}.")
        inner = replace(self, evaluating=(*self.evaluating, place))
        return tuple(text for raw in self.object.texts(name) for text in inner.texts(raw))

    def texts(self, raw: str) -> tuple[Text, ...]:
        """What a text written here says.

        Raises:
            NotEvaluated: see there.
        """
        try:
            pieces = syntax.parse_text(raw)
        except syntax.NotAnExpression as error:
            raise NotEvaluated(str(error)) from error
        alternatives: list[tuple[Atom, ...]] = [
            (piece,) if isinstance(piece, str) else self.atoms(piece) for piece in pieces
        ]
        if len(alternatives) > 1:
            # Nothing in the middle of a text is an empty text; alone it is no text.
            alternatives = [choice or ("",) for choice in alternatives]
        return tuple(Text.of(*combination) for combination in itertools.product(*alternatives))

    def atoms(self, node: syntax.Node) -> tuple[Atom, ...]:
        """The values of an expression: one, or a list's.

        Raises:
            NotEvaluated: see there.
        """
        try:
            if isinstance(node, syntax.Literal):
                return (node.value,)
            if isinstance(node, syntax.Name):
                return self._named(node.path)
            if isinstance(node, syntax.Call):
                arguments = [self.atoms(argument) for argument in node.arguments]
                return tuple(functions.call(node.function, chosen) for chosen in itertools.product(*arguments))
            pairs = itertools.product(self.atoms(node.left), self.atoms(node.right))
            return tuple(functions.operate(node.operator, left, right) for left, right in pairs)
        except functions.NotComputable as error:
            raise NotEvaluated(str(error)) from error

    def _named(self, path: Sequence[str]) -> tuple[Atom, ...]:
        first, *others = path
        if first == "node":
            if self.node is None:
                raise NotEvaluated(
                    f"#{{{'.'.join(path)}}} has no meaning here: `node` is the object that refers to an alarm or a "
                    "precondition."
                )
            node_scope = replace(self, object=self.node, node=None)
            return node_scope._named(others) if others else (self.node.name,)
        if first == "parent" and others:
            parents = self.object.references("parent")
            # The reference's own example: parent.@id is the object's id in the definition.
            return (self.at(parents[0]) if parents else self)._named(others)
        if first.startswith("@"):
            return (self._of_the_run(first, path),)
        values = self._field(first)
        if values is not None:
            return self._of_field(values, others)
        parameter = None if others else self.definition.parameter(first)
        if parameter is not None:
            return self._of_parameter(parameter)
        if first in self.runtime.values and not others:
            # errorMessage and its like are values of a run without an @.
            return (self.runtime.values[first],)
        raise NotEvaluated(
            f"#{{{'.'.join(path)}}} names nothing: {first} is neither a field of the object nor a parameter. If a file "
            "of its own has the parameters, name that file too."
        )

    def _of_the_run(self, first: str, path: Sequence[str]) -> Atom:
        name = first.removeprefix("@")
        if name == "id":
            return self.object.id
        value = self.runtime.values.get(name)
        if value is None or len(path) > 1:
            raise NotEvaluated(f"#{{{'.'.join(path)}}} has no counterpart in a DAG run; write what is meant.")
        return value

    def _field(self, name: str) -> str | None:
        """The field that a name means: exactly, with a star, or in another spelling of its capitals."""
        fields = self.object.fields
        for candidate in (name, f"*{name}"):
            if candidate in fields:
                return candidate
        if name in ("id", "name"):
            return name
        return next((known for known in fields if known.lower() == name.lower()), None)

    def _of_field(self, name: str, others: Sequence[str]) -> tuple[Atom, ...]:
        if name in ("id", "name") and name not in self.object.fields:
            return (self.object.id if name == "id" else self.object.name,)
        found: list[Atom] = []
        for value in self.object.fields[name]:
            if isinstance(value, Reference):
                if value.id not in self.definition.objects:
                    raise NotEvaluated(f"there is no object {value.id}.")
                found.extend(self.at(value.id)._named(others) if others else (value.id,))
        if others and not found:
            raise NotEvaluated(f"{self.object.id}.{name} refers to no object, so it has no {'.'.join(others)}.")
        if not others:
            found.extend(text.atom for text in self.evaluated(name))
        return tuple(found)

    def _of_parameter(self, parameter: Parameter) -> tuple[Atom, ...]:
        variable = self.runtime.variables.get(parameter.id)
        if variable is not None:
            secret = variable if parameter.is_secret else ""
            return (Deferred(f"var.value.{variable}", secret=secret),)
        if not parameter.values:
            return ()
        if parameter.is_array or len(parameter.values) > 1 or any("#{" in value for value in parameter.values):
            return tuple(text.atom for value in parameter.values for text in self.texts(value))
        (value,) = parameter.values
        known = number(parameter, value)
        return (Deferred(f"params.{parameter.name}", type_of(known), known=known),)


def number(parameter: Parameter, value: str) -> Plain:
    """A parameter's value as its type has it; the text where that is no number."""
    try:
        if parameter.type.lower() == "integer":
            return int(value)
        if parameter.type.lower() == "double":
            return float(value)
    except ValueError:
        pass
    return value
