"""Verify: compare what lies in the target with the artifact, from the artifact anew.

It does not trust the import's own account of itself: the artifact is restored and upgraded once more in a scratch
schema, and every row is looked for in the target by its identity. Surrogate keys differ between environments, so a
reference is compared as what it refers to. Secrets are compared decrypted, because two encryptions of one value differ.
The one thing that it takes from the import is which rows were not written, row by row: in the place of one that the
target had with other content there must be some row, one that was set aside may be missing, and no other may. What the
target's Airflow has made of a row by itself since the import is told from a difference, see ``own_changes.py``.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, NamedTuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import mergeable_tables
from mwaa_migrator.airflow_schema.tables import MATCHED_ONLY, SECRET_NAMES
from mwaa_migrator.artifact.manifest import read_manifest
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.comparison.comparable_rows import Meaning
from mwaa_migrator.comparison.differing_secrets import differing_secrets
from mwaa_migrator.errors import NotImported
from mwaa_migrator.merge.import_artifact import find_target, upgraded_scratch
from mwaa_migrator.merge.log_templates import LogTemplates
from mwaa_migrator.merge.receipts import find_receipt, rows_not_written
from mwaa_migrator.postgres.catalog import qualified, read_tables
from mwaa_migrator.postgres.checksums import algorithm_of
from mwaa_migrator.postgres.session import execute, fetch_all, identifiers, named_errors, use_schema
from mwaa_migrator.progress import Progress
from mwaa_migrator.scratch import scratch_schema
from mwaa_migrator.this_airflow import database as airflow_database
from mwaa_migrator.verify.changes_by_airflow import settle

#: How many rows that differ or are missing the result names, of each table.
MOST_EXAMPLES = 5


class _Comparison(NamedTuple):
    """``missing`` and ``differing`` count the rows for which the import gave no reason."""

    missing: int
    differing: int
    checksum_source: str
    checksum_target: str
    examples: list[str]


def verify_import(storage: Storage, jobs: int, progress: Progress) -> dict[str, Any]:
    """Returns ``{"verified", "migration_id", "tables", "phases"}``, tables in the shape of the import's result.

    ``match`` is true for a table if each of its rows is in the target with the same content, but for the very rows that
    the import kept as the target had them, or set aside. Raises NotImported where no import was committed.
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
        meaning = partial(
            Meaning, tables[name], target_tables, algorithm_of(connection), default_template, manifest["tables"]
        )
        not_written = rows_not_written(manifest["migration_id"], name)
        whole = meaning()
        _hash(connection, scratch, schema, whole, not_written)
        found = _compare(connection, scratch, whole)
        own = settle(connection, scratch, schema, tables, name, meaning) if found.missing or found.differing else 0
        if own:
            progress.say(f"compare: {name}: of {own} rows the target's Airflow has gone on by itself")
            found = _compare(connection, scratch, whole)
        secrets_differ = _without_kept(
            connection, scratch, name, differing_secrets(connection, scratch, schema, tables[name])
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
            "match": not (found.missing or found.differing or secrets_differ),
            "examples": found.examples,
        }
        note = f"{found.missing} missing, {found.differing} differing"
        progress.table("compare", name, told["exported"], time.monotonic() - begun, note=note)
    connection.rollback()
    return results


def _hash(connection: Any, scratch: str, schema: str, meaning: Meaning, not_written: sql.Composable) -> None:
    """Make the temporary tables ``mwaa_migrator_source``, ``_target`` and ``_not_written`` of a table's hashes."""
    of_source = meaning.of_source(scratch)
    if meaning.table.name in MATCHED_ONLY:
        # One row of the target stands for all of the same identity: Airflow adds a log template again when the newest
        # is another one.
        of_source = sql.SQL("select distinct on (identity) * from ({}) s").format(of_source)
    for name, query in (
        ("source", of_source),
        ("target", meaning.of_target(schema)),
        ("not_written", not_written),
    ):
        execute(connection, f"drop table if exists pg_temp.mwaa_migrator_{name}")
        execute(
            connection,
            sql.SQL("create temporary table {} on commit drop as {}").format(
                sql.Identifier("mwaa_migrator_" + name), query
            ),
        )


def _compare(connection: Any, scratch: str, meaning: Meaning) -> _Comparison:
    """Compare what ``_hash`` has made."""
    source = fetch_all(connection, "select count(*), coalesce(sum(content), 0)::text from mwaa_migrator_source")[0]
    target = fetch_all(
        connection,
        "select count(*), coalesce(sum(content), 0)::text from mwaa_migrator_target "
        "where identity in (select identity from mwaa_migrator_source)",
    )[0]
    if source == target:
        return _Comparison(0, 0, source[1], target[1], [])
    # Rows of one identity are matched as multisets, because a table without a unique key may hold a row twice. A row
    # that was set aside need not be there; in the place of one that was kept another must be.
    query = """
        with source as (select identity, content, count(*) n from mwaa_migrator_source group by 1, 2),
             target as (select identity, content, count(*) n from mwaa_migrator_target
                         where identity in (select identity from mwaa_migrator_source) group by 1, 2),
             told as (select identity, content, count(*) n, count(*) filter (where not kept) aside
                        from mwaa_migrator_not_written group by 1, 2),
             wanted as (select s.identity, sum(greatest(s.n - coalesce(x.aside, 0), 0)) n,
                               sum(greatest(s.n - coalesce(x.n, 0) - coalesce(t.n, 0), 0)) unmatched
                          from source s left join told x using (identity, content)
                          left join target t using (identity, content) group by 1),
             there as (select identity, sum(n) n from target group by 1),
             found as (select unmatched, greatest(w.n - coalesce(t.n, 0), 0) missing
                         from wanted w left join there t using (identity))
        select (select coalesce(sum(missing), 0) from found),
               (select coalesce(sum(greatest(unmatched - missing, 0)), 0) from found),
               (select coalesce(sum(t.content::numeric * least(t.n, coalesce(s.n, t.n))), 0)::text
                  from target t left join source s using (identity, content))
    """
    ((missing, differing, checksum_target),) = fetch_all(connection, query)
    missing, differing = int(missing), int(differing)
    examples = _examples(connection, scratch, meaning) if missing or differing else []
    return _Comparison(missing, differing, source[1], checksum_target, examples)


def _without_kept(connection: Any, scratch: str, table: str, names: list[str]) -> list[str]:
    """The names of secrets without those of rows that the import kept as the target had them."""
    if not names:
        return []
    query = sql.SQL(
        "select r.{} from {} r join mwaa_migrator_source s on s.row = r.ctid "
        "where s.identity in (select identity from mwaa_migrator_not_written where kept)"
    ).format(sql.Identifier(SECRET_NAMES[table]), qualified(scratch, table))
    kept = {name for (name,) in fetch_all(connection, query)}
    return [name for name in names if name not in kept]


def _examples(connection: Any, scratch: str, meaning: Meaning) -> list[str]:
    names = meaning.identity or meaning.table.primary_key
    query = sql.SQL(
        "select {} from {} r where r.ctid in (select s.row from mwaa_migrator_source s where not exists "
        "(select 1 from mwaa_migrator_target t where t.identity = s.identity and t.content = s.content) and not exists "
        "(select 1 from mwaa_migrator_not_written n where n.identity = s.identity and n.content = s.content) limit {})"
    ).format(identifiers(names, "r"), qualified(scratch, meaning.table.name), sql.Literal(MOST_EXAMPLES))
    return [", ".join(f"{name}={value}" for name, value in zip(names, row)) for row in fetch_all(connection, query)]
