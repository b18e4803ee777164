"""What AWS's pipeline object reference says of each type of object. The facts are in `object_reference.toml`."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Fields that any object may have.
EVERYWHERE = {"type": "string", "parent": "reference", "myComment": "string"}


@dataclass(frozen=True)
class ObjectType:
    """A type of object: of each group in `one_of`, one field is required. `fields` has the type of value by field."""

    name: str
    kind: str
    required: tuple[str, ...]
    one_of: tuple[tuple[str, ...], ...]
    fields: Mapping[str, str]


@functools.cache
def types() -> Mapping[str, ObjectType]:
    """The types by name."""
    facts = tomllib.loads(Path(__file__).with_name("object_reference.toml").read_text(encoding="utf-8"))
    shared: dict[str, dict[str, str]] = facts["shared"]
    found = {}
    for name, fact in facts["types"].items():
        fields = dict(EVERYWHERE)
        for group in fact.get("shared", ()):
            fields |= shared[group]
        found[name] = ObjectType(
            name=name,
            kind=fact["kind"],
            required=tuple(fact.get("required", ())),
            one_of=tuple(tuple(group) for group in fact.get("one_of", ())),
            fields=fields | fact.get("fields", {}),
        )
    return found


def kind(type_name: str) -> str:
    """A type's kind ("activity", "data node"...), or an empty string for a type that the reference does not know."""
    known = types().get(type_name)
    return known.kind if known else ""
