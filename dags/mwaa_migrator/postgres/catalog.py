"""A schema's tables as PostgreSQL's catalog describes them: enough to make them again, and to know their references.

The definitions of constraints and indexes are PostgreSQL's own words. This module imports no driver, because an export
from another database has none of PostgreSQL's.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple, Sequence

#: Types of numbers, without the digits that some have.
NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")


class Column(NamedTuple):
    name: str
    type: str
    type_schema: str
    not_null: bool
    default: str | None
    identity: str
    comment: str | None = None
    generated: bool = False
    #: Whether the default calls an application's function, say, or a sequence in another schema.
    default_needs_others: bool = False

    @property
    def most_characters(self) -> float | None:
        """How many characters of text it takes, which may be infinity; None if it is no text."""
        if self.type in ("text", "character varying"):
            return math.inf
        length = re.match(r"character(?: varying)?\((\d+)\)$", self.type)
        return int(length.group(1)) if length else None


class Constraint(NamedTuple):
    """``kind`` is ``pg_constraint.contype``: p, u, f, c or x. Only foreign keys have a parent."""

    name: str
    kind: str
    definition: str
    columns: tuple[str, ...]
    parent: str | None = None
    parent_columns: tuple[str, ...] = ()


class Index(NamedTuple):
    """An index that no constraint owns. ``columns`` is empty if it has an expression or a predicate."""

    name: str
    definition: str
    unique: bool
    columns: tuple[str, ...]


class OwnedSequence(NamedTuple):
    """A sequence that a column of the table owns, or takes its numbers from."""

    name: str
    column: str
    type: str


class Table(NamedTuple):
    name: str
    columns: list[Column]
    constraints: list[Constraint]
    indexes: list[Index]
    sequences: list[OwnedSequence]

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def primary_key(self) -> tuple[str, ...]:
        for constraint in self.constraints:
            if constraint.kind == "p":
                return constraint.columns
        return ()

    @property
    def unique_keys(self) -> list[tuple[str, ...]]:
        """The sets of columns that the database keeps unique, the primary key first."""
        keys = [constraint.columns for constraint in self.constraints if constraint.kind == "p"]
        keys += [constraint.columns for constraint in self.constraints if constraint.kind == "u"]
        keys += [index.columns for index in self.indexes if index.unique and index.columns]
        return keys

    @property
    def foreign_keys(self) -> list[Constraint]:
        return [constraint for constraint in self.constraints if constraint.kind == "f"]

    @property
    def surrogate_key(self) -> str | None:
        """The primary key's column if it says nothing about the row; None otherwise.

        It is a single integer that a sequence fills, or a UUID that is not another table's. An integer ``id`` is one
        even where a restore has lost its sequence: none of Airflow's tables has another kind of it.
        """
        if len(self.primary_key) != 1:
            return None
        column = self.column(self.primary_key[0])
        generated = bool(column.identity) or any(sequence.column == column.name for sequence in self.sequences)
        if column.type in ("integer", "bigint", "smallint") and (generated or column.name == "id"):
            return column.name
        if column.type == "uuid" and all(key.columns != (column.name,) for key in self.foreign_keys):
            return column.name
        return None

    @property
    def has_uuid_key(self) -> bool:
        return self.surrogate_key is not None and self.column(self.surrogate_key).type == "uuid"

    def without(self, names: Sequence[str]) -> Table:
        """The table without these columns, and without what refers to them."""
        if not names:
            return self
        return self._replace(
            columns=[column for column in self.columns if column.name not in names],
            constraints=[one for one in self.constraints if not set(one.columns) & set(names)],
            indexes=[index for index in self.indexes if not set(index.columns) & set(names)],
            sequences=[sequence for sequence in self.sequences if sequence.column not in names],
        )

    def column(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
