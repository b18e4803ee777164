"""Reads the tables of a schema from ``pg_catalog``: enough to make them again, and to know their references.

PostgreSQL itself writes the definitions (``pg_get_constraintdef``, ``pg_get_indexdef``, ``pg_get_expr``). They are read
with the schema on the search_path, so that they name no schema and can be replayed in another one.
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple, Sequence

from mwaa_migrator.postgres.session import fetch_all, fetch_value, search_path

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


# PostgreSQL 11 has no generated columns, and no attgenerated.
_COLUMNS = """
    select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), tn.nspname, a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid, true), a.attidentity::text, col_description(c.oid, a.attnum),
           coalesce(to_jsonb(a) ->> 'attgenerated', '') <> '',
           exists (select 1 from pg_catalog.pg_depend o
                     left join pg_catalog.pg_class s on o.refclassid = 'pg_class'::regclass and s.oid = o.refobjid
                    where o.classid = 'pg_attrdef'::regclass and o.objid = d.oid and s.oid is distinct from c.oid
                      and (s.oid is null or s.relkind <> 'S' or s.relnamespace <> c.relnamespace))
      from pg_catalog.pg_class c
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      join pg_catalog.pg_type t on t.oid = a.atttypid
      join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
      left join pg_catalog.pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
     where c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = %s) and c.relkind in ('r', 'p')
     order by c.relname, a.attnum
"""

# PostgreSQL 18 also lists NOT NULL as constraints (contype 'n'), which the columns say already.
_CONSTRAINTS = """
    select c.relname, k.conname, k.contype::text, pg_get_constraintdef(k.oid, true),
           array(select a.attname::text from unnest(k.conkey) with ordinality u(n, i)
                   join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.n order by u.i),
           p.relname,
           array(select a.attname::text from unnest(k.confkey) with ordinality u(n, i)
                   join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.n order by u.i)
      from pg_catalog.pg_constraint k
      join pg_catalog.pg_class c on c.oid = k.conrelid
      left join pg_catalog.pg_class p on p.oid = k.confrelid
     where c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = %s)
       and k.contype in ('p', 'u', 'f', 'c', 'x')
     order by c.relname, k.contype = 'f', k.conname
"""

_INDEXES = """
    select c.relname, i.relname, pg_get_indexdef(x.indexrelid, 0, true), x.indisunique,
           case when x.indexprs is null and x.indpred is null then
             array(select a.attname::text from unnest(x.indkey::int2[]) with ordinality u(n, i)
                     join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = u.n order by u.i)
           else '{}' end
      from pg_catalog.pg_index x
      join pg_catalog.pg_class c on c.oid = x.indrelid
      join pg_catalog.pg_class i on i.oid = x.indexrelid
     where c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = %s)
       and not exists (select 1 from pg_catalog.pg_constraint k where k.conindid = x.indexrelid
                          and k.contype in ('p', 'u', 'x'))
     order by c.relname, i.relname
"""

# A sequence belongs to the column that owns it, or else to one whose default takes its numbers: pgloader, AWS DMS and
# restores by hand leave sequences that no column owns.
_SEQUENCES = """
    with filled as (
      select d.refobjid as table, d.refobjsubid as number, d.objid as sequence, true as owned
        from pg_catalog.pg_depend d
       where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
      union all
      select e.adrelid, e.adnum, d.refobjid, false
        from pg_catalog.pg_attrdef e
        join pg_catalog.pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = e.oid
         and d.refclassid = 'pg_class'::regclass
       where pg_get_expr(e.adbin, e.adrelid) like 'nextval(%%')
    select distinct on (s.oid) c.relname, s.relname, a.attname, format_type(q.seqtypid, null)
      from filled f
      join pg_catalog.pg_class s on s.oid = f.sequence and s.relkind = 'S'
      join pg_catalog.pg_sequence q on q.seqrelid = s.oid
      join pg_catalog.pg_class c on c.oid = f.table
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = f.number
     where c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = %s)
       and s.relnamespace = c.relnamespace
     order by s.oid, f.owned desc, c.relname
"""


def read_tables(connection: Any, schema: str) -> dict[str, Table]:
    """All ordinary tables of ``schema``, by name."""
    tables: dict[str, Table] = {}
    with search_path(connection, schema):
        columns, constraints, indexes, sequences = (
            fetch_all(connection, query, (schema,)) for query in (_COLUMNS, _CONSTRAINTS, _INDEXES, _SEQUENCES)
        )
    for name, *column in columns:
        tables.setdefault(name, Table(name, [], [], [], [])).columns.append(Column(*column))
    for name, constraint, kind, definition, of_columns, parent, parent_columns in constraints:
        if name in tables:
            tables[name].constraints.append(
                Constraint(constraint, kind, definition, tuple(of_columns), parent, tuple(parent_columns))
            )
    for name, index, definition, unique, of_columns in indexes:
        if name in tables:
            tables[name].indexes.append(Index(index, definition, unique, tuple(of_columns)))
    for name, *sequence in sorted(sequences):
        if name in tables:
            tables[name].sequences.append(OwnedSequence(*sequence))
    return tables


def column_names(connection: Any, schema: str, table: str) -> frozenset[str]:
    """Of one table; none if it does not exist. ``read_tables`` has them too, and takes longer."""
    query = (
        "select a.attname from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid "
        "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = %s and c.relname = %s and a.attnum > 0 and not a.attisdropped"
    )
    return frozenset(name for (name,) in fetch_all(connection, query, (schema, table)))


def table_exists(connection: Any, schema: str, table: str) -> bool:
    query = "select exists (select 1 from pg_catalog.pg_tables where schemaname = %s and tablename = %s)"
    return bool(fetch_value(connection, query, (schema, table)))
