"""Compares the rows of one table, source and target, by their hashes in temporary tables."""

from __future__ import annotations

from typing import List, NamedTuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.encryption import ROW_NAMES
from mwaa_migrator.airflow_schema.identity import MADE_BY_AIRFLOW_TOO
from mwaa_migrator.comparison.comparable_rows import ComparableRows
from mwaa_migrator.postgres import identifiers, temporary_tables
from mwaa_migrator.postgres.session import fetch_all
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact
from mwaa_migrator.verify.verify_tables import ROWS_NOT_WRITTEN, SOURCE_ROWS, TARGET_ROWS

#: How many of each table's missing or differing rows the result names.
MOST_EXAMPLES = 5


class TableComparison(NamedTuple):
    """``missing`` and ``differing`` count the rows for which the import gave no reason."""

    missing: int
    differing: int
    checksum_source: str
    checksum_target: str
    examples: List[str]


def hash_rows(
    upgraded: UpgradedArtifact,
    rows: ComparableRows,
    not_written: sql.Composable,
    within: sql.Composable | None = None,
) -> None:
    """Fill the temporary tables of verify for one table.

    ``not_written`` is a query for ``identity, content, kept``; ``within`` is a condition on alias ``t``, the target's
    row, for those that count.
    """
    of_source = rows.of_source()
    if rows.table.name in MADE_BY_AIRFLOW_TOO:
        # One row of the target stands for all of the same identity: Airflow adds a log template again when the newest
        # is another one.
        of_source = sql.SQL("select distinct on (identity) * from ({}) s").format(of_source)
    temporary_tables.create_from(upgraded.connection, SOURCE_ROWS, of_source)
    of_target = rows.of_target() if within is None else rows.of_target() + sql.SQL(" where ") + within
    temporary_tables.create_from(upgraded.connection, TARGET_ROWS, of_target)
    temporary_tables.create_from(upgraded.connection, ROWS_NOT_WRITTEN, not_written)


#: Rows of one identity are matched as multisets, because a table without a unique key may hold a row twice. A row that
#: was set aside need not be there; in the place of one that was kept there must be another.
_COMPARE = """
    with source as (select identity, content, count(*) n from {source} group by 1, 2),
         target as (select identity, content, count(*) n from {target}
                     where identity in (select identity from {source}) group by 1, 2),
         told as (select identity, content, count(*) n, count(*) filter (where not kept) aside
                    from {not_written} group by 1, 2),
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


def compare(upgraded: UpgradedArtifact, rows: ComparableRows) -> TableComparison:
    """Compare what ``hash_rows`` has made of ``rows``."""
    sums = sql.SQL("select count(*), coalesce(sum(content), 0)::text from {}")
    source = fetch_all(upgraded.connection, sums.format(SOURCE_ROWS))[0]
    of_same_identity = sql.SQL(" where identity in (select identity from {})").format(SOURCE_ROWS)
    target = fetch_all(upgraded.connection, sums.format(TARGET_ROWS) + of_same_identity)[0]
    if source == target:
        return TableComparison(0, 0, source[1], target[1], [])
    query = sql.SQL(_COMPARE).format(source=SOURCE_ROWS, target=TARGET_ROWS, not_written=ROWS_NOT_WRITTEN)
    missing, differing, checksum_target = fetch_all(upgraded.connection, query)[0]
    missing, differing = int(missing), int(differing)
    examples = _examples(upgraded, rows) if missing or differing else []
    return TableComparison(missing, differing, source[1], checksum_target, examples)


def without_kept(upgraded: UpgradedArtifact, table: str, names: list[str]) -> list[str]:
    """Of these names of secrets, those whose rows the import did not keep as the target had them."""
    if not names:
        return []
    query = sql.SQL(
        "select {} from {} r join {} s on s.row = r.ctid where s.identity in (select identity from {} where kept)"
    ).format(identifiers.column("r", ROW_NAMES[table]), upgraded.scratch.table(table), SOURCE_ROWS, ROWS_NOT_WRITTEN)
    kept = {name for (name,) in fetch_all(upgraded.connection, query)}
    return [name for name in names if name not in kept]


def _examples(upgraded: UpgradedArtifact, rows: ComparableRows) -> list[str]:
    names = rows.identity or rows.table.primary_key
    query = sql.SQL(
        "select {} from {} r where r.ctid in (select s.row from {} s where not exists "
        "(select 1 from {} t where t.identity = s.identity and t.content = s.content) and not exists "
        "(select 1 from {} n where n.identity = s.identity and n.content = s.content) limit {})"
    ).format(
        sql.SQL(", ").join([sql.SQL("{}::text").format(identifiers.column("r", name)) for name in names]),
        upgraded.scratch.table(rows.table.name),
        SOURCE_ROWS,
        TARGET_ROWS,
        ROWS_NOT_WRITTEN,
        sql.Literal(MOST_EXAMPLES),
    )
    examples = fetch_all(upgraded.connection, query)
    return [", ".join(f"{name}={value}" for name, value in zip(names, row)) for row in examples]
