"""Reads the tables of a schema from ``pg_catalog``.

PostgreSQL itself writes the definitions (``pg_get_constraintdef``, ``pg_get_indexdef``, ``pg_get_expr``). They are read
with the schema on the search_path, so that they name no schema and can be replayed in another one.
"""

from __future__ import annotations

from typing import Any

from mwaa_migrator.postgres.catalog import Column, Constraint, Index, OwnedSequence, Table
from mwaa_migrator.postgres.session import fetch_all, fetch_value, search_path

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
