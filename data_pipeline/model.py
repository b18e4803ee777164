"""A pipeline's definition, the same from whichever form it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

#: The object whose fields every object without a parent inherits.
DEFAULT = "Default"


@dataclass(frozen=True)
class Reference:
    """A field's value that names another object."""

    id: str


#: A field has one or more of these, in the order of the definition.
Value = str | Reference


@dataclass(frozen=True)
class PipelineObject:
    """An object of the definition.

    `fields` has its own fields and, after `inheritance.resolve`, those of its parents; `origins` names for each of them
    the object that it was written in.
    """

    id: str
    name: str
    fields: Mapping[str, tuple[Value, ...]]
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """Its type, or an empty string for an object that only others inherit from."""
        return self.text("type") or ""

    def texts(self, name: str) -> tuple[str, ...]:
        """A field's strings; none where it is missing or empty."""
        return tuple(value for value in self.fields.get(name, ()) if isinstance(value, str) and value)

    def text(self, name: str) -> str | None:
        """A field's first string, or None."""
        return next(iter(self.texts(name)), None)

    def references(self, name: str) -> tuple[str, ...]:
        """The ids of the objects that a field refers to."""
        return tuple(value.id for value in self.fields.get(name, ()) if isinstance(value, Reference))

    def origin(self, name: str) -> str:
        """The id of the object that a field was written in."""
        return self.origins.get(name, self.id)


@dataclass(frozen=True)
class Parameter:
    """A parameter (`#{myTable}`) with its attributes; `values` is what it was given, else its default, else nothing.

    `is_secret` is set by `secrets.take_out`, which takes the values of such parameters away.
    """

    id: str
    type: str = "String"
    description: str = ""
    is_optional: bool = False
    is_array: bool = False
    allowed: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    is_secret: bool = False
    #: The object and field that name a parameter which nothing declares.
    named_at: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """Its id without the star."""
        return self.id.removeprefix("*")


@dataclass(frozen=True)
class Activation:
    """What the service says about a pipeline that it runs: when it began, and which run comes next. All in UTC."""

    pipeline_id: str
    first_activation: datetime | None = None
    next_run: datetime | None = None


@dataclass(frozen=True)
class Definition:
    """A pipeline: its objects and parameters by id. `source` is where it was read, for messages."""

    name: str
    source: str
    objects: Mapping[str, PipelineObject]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    description: str = ""
    activation: Activation | None = None

    def parameter(self, name: str) -> Parameter | None:
        """A parameter by its id, with or without the star: expressions are written both ways."""
        bare = name.removeprefix("*")
        return self.parameters.get(name) or self.parameters.get(bare) or self.parameters.get(f"*{bare}")

    def of_type(self, *types: str) -> list[PipelineObject]:
        """The objects of some types, in the order of the definition."""
        return [found for found in self.objects.values() if found.type in types]
