"""Verify: compare what lies in the target with the artifact, from the artifact anew.

It does not trust the import's own account of itself: the artifact is restored and upgraded once more in a scratch
schema, and every row is looked for in the target by its identity. Surrogate keys differ between environments, so a
reference is compared as what it refers to. Secrets are compared decrypted, because two encryptions of one value differ.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from psycopg2 import sql

from mwaa_migrator import airflow_database
from mwaa_migrator import scratch as scratch_schema
from mwaa_migrator.catalog import Table, qualified, read_tables
from mwaa_migrator.content import algorithm_of, column_values, hashable, row_hash
from mwaa_migrator.database import execute, fetch_all, identifiers, named_errors, use_schema
from mwaa_migrator.errors import NotImported
from mwaa_migrator.identity import identity_columns, mergeable_tables, surrogate_references
from mwaa_migrator.import_artifact import find_target, upgraded_scratch
from mwaa_migrator.log_templates import LogTemplates
from mwaa_migrator.manifest import read_manifest
from mwaa_migrator.progress import Progress
from mwaa_migrator.receipts import find_receipt
from mwaa_migrator.secret_comparison import differing_secrets
from mwaa_migrator.storage import Storage
from mwaa_migrator.tables import IDENTITIES, MATCHED_ONLY, USER_REFERENCES, secret_column_names

#: How many rows that differ or are missing the result names, of each table.
MOST_EXAMPLES = 5


class _Comparison(NamedTuple):
    missing: int
    differing: int
    checksum_source: str
    checksum_target: str
    examples: list[str]


def verify_import(storage: Storage, jobs: int, progress: Progress) -> dict[str, Any]:
    """Returns ``{"verified", "migration_id", "tables", "phases"}``, tables in the shape of the import's result.

    ``match`` is true for a table if each of its rows is in the target with the same content, but for as many as the
    import reported kept with other content, or set aside. Raises NotImported where no import was committed.
    """
    manifest = read_manifest(storage)
    connection = airflow_database.connect("mwaa_migrator verify")
    try:
        with named_errors(), scratch_schema.only_one(connection):
            target = find_target(connection, manifest)
            receipt = find_receipt(connection, manifest["migration_id"])
            connection.rollback()
            if receipt is None or receipt["manifest_sha256"] != manifest["sha256"]:
                message = "{} was not imported into this metadata database. Run the import first."
                raise NotImported(message.format(storage.url))
            restored = upgraded_scratch(connection, storage, manifest, target, jobs, progress)
            with restored as (scratch, _), progress.phase("compare"):
                tables = _compare_tables(connection, scratch, target.schema, manifest, receipt["result"], progress)
        verified = all(table["match"] for table in tables.values())
        return {
            "verified": verified,
            "migration_id": manifest["migration_id"],
            "tables": tables,
            "phases": progress.phases,
        }
    finally:
        connection.close()


def _compare_tables(
    connection: Any,
    scratch: str,
    schema: str,
    manifest: dict[str, Any],
    imported: dict[str, Any],
    progress: Progress,
) -> dict[str, dict[str, Any]]:
    target_tables = read_tables(connection, schema)
    tables = mergeable_tables(connection, scratch, schema, manifest)
    use_schema(connection, schema)
    execute(connection, "set local work_mem to '64MB'")
    default_template = LogTemplates(connection, scratch, schema, manifest).default_filename()
    results = {}
    for name, told in imported["tables"].items():
        if name not in tables:
            results[name] = dict(told, match=True)
            continue
        begun = time.monotonic()
        meaning = _Meaning(tables[name], target_tables, algorithm_of(connection), default_template)
        found = _compare(connection, scratch, schema, meaning)
        secrets_differ = differing_secrets(connection, scratch, schema, tables[name])
        # Rows that the upgrade moved away are not in the scratch schema either.
        moved = (told.get("set_aside_reasons") or {}).get("moved by Airflow's migrations", 0)
        match = (
            found.missing <= told["set_aside"] - moved
            and found.differing <= told["kept_differing"]
            and len(secrets_differ) <= told["kept"]
        )
        results[name] = {
            "exported": told["exported"],
            "merged": told["merged"],
            "kept": told["kept"],
            "set_aside": told["set_aside"],
            "missing": found.missing,
            "differing": found.differing,
            "secrets_differing": secrets_differ,
            "checksum_source": found.checksum_source,
            "checksum_target": found.checksum_target,
            "match": match,
            "examples": found.examples,
        }
        note = f"{found.missing} missing, {found.differing} differing"
        progress.table("compare", name, told["exported"], time.monotonic() - begun, note=note)
    connection.rollback()
    return results


class _Meaning:
    """A table's columns as values that mean the same in both databases.

    Left out are surrogate keys, secrets (compared decrypted), users (matched by name where possible) and references
    that no constraint declares and that lead to rows without an identity of their own (a job, a trigger).
    """

    def __init__(self, table: Table, tables: dict[str, Table], algorithm: str, default_template: str | None) -> None:
        self.table = table
        self._algorithm = algorithm
        self._references = surrogate_references(table, tables)
        self._tables = tables
        self._default_template = default_template
        left_out: set[str | None] = set(secret_column_names(table.name)) | {table.surrogate_key}
        left_out |= {column for name, column in USER_REFERENCES if name == table.name}
        if table.name in MATCHED_ONLY:
            left_out |= set(table.column_names) - set(identity_columns(table))
        self._columns = [column for column in table.columns if column.name not in left_out]
        self.identity = identity_columns(table)

    def select(self, schema: str) -> sql.Composed:
        """``ctid, identity hash, content hash`` for each row of the table in ``schema``."""
        joins: list[sql.Composable] = []
        values: dict[str, sql.Composable] = {}
        for column in self._columns:
            value = column_values([column], "t")[0]
            if column.name in self._references:
                resolved = self._resolve(schema, column.name, joins)
                if resolved is None:
                    continue
                value = resolved
            values[column.name] = value
        identity = [values[name] for name in self.identity if name in values] or list(values.values())
        return sql.SQL("select t.ctid as row, {} as identity, {} as content from {} t {}").format(
            row_hash(identity, self._algorithm),
            row_hash(list(values.values()), self._algorithm),
            qualified(schema, self.table.name),
            sql.SQL(" ").join(joins),
        )

    def _resolve(self, schema: str, column: str, joins: list[sql.Composable]) -> sql.Composable | None:
        """What the reference leads to, as a value; None where that has no identity to compare."""
        parent_name = self._references[column]
        parent = self._tables.get(parent_name)
        identity = identity_columns(parent) if parent is not None else ()
        if parent_name == "log_template":
            identity = IDENTITIES["log_template"][:1]
        if parent is None or not identity or parent.surrogate_key is None:
            return None
        alias = f"p{len(joins)}"
        joins.append(
            sql.SQL("left join {0} {1} on {1}.{2} = t.{3}").format(
                qualified(schema, parent_name),
                sql.Identifier(alias),
                sql.Identifier(parent.surrogate_key),
                sql.Identifier(column),
            )
        )
        named = [sql.SQL(alias + ".") + sql.Identifier(name) for name in identity]
        value = sql.SQL("row({})::text").format(
            sql.SQL(", ").join([hashable(parent.column(name), v) for name, v in zip(identity, named)])
        )
        if parent_name == "log_template":
            value = sql.SQL("coalesce({}, {})").format(named[0], sql.Literal(self._default_template))
        return value


def _compare(connection: Any, scratch: str, schema: str, meaning: _Meaning) -> _Comparison:
    for side, place in (("source", scratch), ("target", schema)):
        execute(connection, f"drop table if exists pg_temp.mwaa_migrator_{side}")
        execute(
            connection,
            sql.SQL("create temporary table {} on commit drop as {}").format(
                sql.Identifier("mwaa_migrator_" + side), meaning.select(place)
            ),
        )
    source = fetch_all(connection, "select count(*), coalesce(sum(content), 0)::text from mwaa_migrator_source")[0]
    target = fetch_all(
        connection,
        "select count(*), coalesce(sum(content), 0)::text from mwaa_migrator_target "
        "where identity in (select identity from mwaa_migrator_source)",
    )[0]
    if source == target:
        return _Comparison(0, 0, source[1], target[1], [])
    # Rows of one identity are matched as multisets, because a table without a unique key may hold a row twice.
    query = """
        with source as (select identity, content, count(*) n from mwaa_migrator_source group by 1, 2),
             target as (select identity, content, count(*) n from mwaa_migrator_target
                         where identity in (select identity from mwaa_migrator_source) group by 1, 2),
             wanted as (select identity, sum(n) n from source group by 1),
             there as (select identity, sum(n) n from target group by 1)
        select (select coalesce(sum(greatest(w.n - coalesce(t.n, 0), 0)), 0)
                  from wanted w left join there t using (identity)),
               (select coalesce(sum(greatest(s.n - coalesce(t.n, 0), 0)), 0) from source s
                  left join target t using (identity, content)),
               (select coalesce(sum(t.content::numeric * least(t.n, coalesce(s.n, t.n))), 0)::text
                  from target t left join source s using (identity, content))
    """
    ((missing, unmatched, checksum_target),) = fetch_all(connection, query)
    missing, unmatched = int(missing), int(unmatched)
    examples = _examples(connection, scratch, meaning) if unmatched else []
    return _Comparison(missing, unmatched - missing, source[1], checksum_target, examples)


def _examples(connection: Any, scratch: str, meaning: _Meaning) -> list[str]:
    names = meaning.identity or meaning.table.primary_key
    query = sql.SQL(
        "select {} from {} r where r.ctid in (select s.row from mwaa_migrator_source s where not exists "
        "(select 1 from mwaa_migrator_target t where t.identity = s.identity and t.content = s.content) limit {})"
    ).format(identifiers(names, "r"), qualified(scratch, meaning.table.name), sql.Literal(MOST_EXAMPLES))
    return [", ".join(f"{name}={value}" for name, value in zip(names, row)) for row in fetch_all(connection, query)]
