"""The target's sums by run: recorded once an artifact is verified, and compared when a delta that follows it is.

Verify of a delta reads what the delta has replaced. The sums say that all other runs are as they were when they were
verified: they are over every column, in the target's own numbers, so nothing is translated. What the target's Airflow
does by itself with a task instance is known (``changes_by_airflow.py``): of each that it may change so, the row is
recorded beside the sums, and a run's sum may differ by exactly what such rows do.

Runs alone have sums here. Settings and what others refer to go whole with every delta, and Airflow changes no row of
``log`` and of ``job`` but heartbeats and states of its own.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import identity_columns
from mwaa_migrator.airflow_schema.references import surrogate_references
from mwaa_migrator.airflow_schema.tables import RUN_TABLE
from mwaa_migrator.airflow_schema.units import WayToRun, unit_of
from mwaa_migrator.merge.merge_tables import CHANGED_RUNS
from mwaa_migrator.postgres import identifiers, temporary_tables
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.postgres.checksums import column_values, row_hash
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact
from mwaa_migrator.verify.changes_by_airflow import CHANGES, ChangeByAirflow
from mwaa_migrator.verify.verify_tables import RUN_SUMS

_CREATE = (
    "create table if not exists mwaa_migrator.run_sums (table_name text, dag_id text, run_id text, rows bigint, "
    "sum numeric)",
    "create table if not exists mwaa_migrator.changeable_rows (table_name text, dag_id text, run_id text, "
    "change int, identity bigint, content bigint, unchanged bigint)",
    "create table if not exists mwaa_migrator.summed (artifact_id text primary key)",
)


class TargetSums:
    """In verify's transaction, in which it makes a temporary table of the sums as they are now."""

    def __init__(self, upgraded: UpgradedArtifact) -> None:
        self._upgraded = upgraded
        self._connection = upgraded.connection
        self._algorithm = upgraded.target.checksum_algorithm
        self.follows: str | None = (upgraded.artifact.manifest["follows"] or {}).get("artifact_id")
        self._ways: Dict[str, WayToRun] = {}
        for name, table in upgraded.tables.items():
            way = unit_of(table, upgraded.target_tables).way
            if way is not None:
                self._ways[name] = way
        for statement in _CREATE:
            execute(self._connection, statement)
        self._sum()

    @property
    def can_compare(self) -> bool:
        """Whether what the artifact follows was verified here, or the artifact itself was."""
        summed = fetch_value(self._connection, "select max(artifact_id) from mwaa_migrator.summed")
        return summed in (self.follows, self._upgraded.artifact.id)

    def changed(self) -> Dict[str, List[str]]:
        """By table, the runs outside of a delta of which rows have changed in the target since they were verified."""
        query = sql.SQL(
            """
            with recorded as (select * from mwaa_migrator.run_sums r
                               where (dag_id, run_id) not in (select dag_id, run_id from {changed})),
                 now as (select * from {now} n where (dag_id, run_id) in (
                                select dag_id, run_id from recorded where table_name = {run_table}))
            select table_name, dag_id, run_id, coalesce(r.rows = n.rows, false), coalesce(r.sum - n.sum, 0)
              from recorded r full join now n using (table_name, dag_id, run_id)
             where (r.rows, r.sum) is distinct from (n.rows, n.sum) order by 1, 2, 3
            """
        ).format(changed=CHANGED_RUNS, now=RUN_SUMS, run_table=sql.Literal(RUN_TABLE))
        found: Dict[str, List[str]] = {}
        for table, dag, run, same_rows, difference in fetch_all(self._connection, query):
            if not (same_rows and difference == self._by_airflow(table, dag, run)):
                found.setdefault(table, []).append(f"{dag} {run}")
        return found

    def record(self) -> None:
        """Note the sums of the runs that the artifact has moved, and keep those of all others that are recorded."""
        execute(self._connection, "truncate mwaa_migrator.summed")
        runs = sql.SQL("select dag_id, run_id from {}").format(self._upgraded.scratch.table(RUN_TABLE))
        outdated = sql.SQL("select dag_id, run_id from {}").format(CHANGED_RUNS) if self.follows else None
        for name in ("run_sums", "changeable_rows"):
            place = identifiers.qualified("mwaa_migrator", name)
            if outdated is None:
                execute(self._connection, sql.SQL("truncate {}").format(place))
            else:
                delete = sql.SQL("delete from {} where (dag_id, run_id) in ({})")
                execute(self._connection, delete.format(place, outdated))
        insert = sql.SQL("insert into mwaa_migrator.run_sums select * from {} where (dag_id, run_id) in ({})")
        execute(self._connection, insert.format(RUN_SUMS, runs))
        for name, changes in CHANGES.items():
            for number, change in enumerate(changes if name in self._ways else ()):
                rows = self._changeable(name, change, change.before)
                insert = sql.SQL("insert into mwaa_migrator.changeable_rows select {}, dag_id, run_id, {}, identity, ")
                insert = insert.format(sql.Literal(name), sql.Literal(number))
                insert += sql.SQL("content, unchanged from ({}) c where (dag_id, run_id) in ({})").format(rows, runs)
                execute(self._connection, insert)
        statement = "insert into mwaa_migrator.summed values (%s)"
        execute(self._connection, statement, (self._upgraded.artifact.id,))

    def forget(self) -> None:
        """Forget what is recorded: there is a gap in what was verified."""
        execute(
            self._connection, "truncate mwaa_migrator.summed, mwaa_migrator.run_sums, mwaa_migrator.changeable_rows"
        )

    def _sum(self) -> None:
        sums = [self._sums_of(self._upgraded.tables[name], way) for name, way in self._ways.items()]
        temporary_tables.create_from(self._connection, RUN_SUMS, sql.SQL(" union all ").join(sums))
        temporary_tables.analyze(self._connection, RUN_SUMS)

    def _sums_of(self, table: Table, way: WayToRun) -> sql.Composed:
        return sql.SQL(
            "select {}::text as table_name, dag_id::text, run_id::text, count(*) as rows, sum(content) as sum "
            "from (select {}, {} from {} t{}) h (dag_id, run_id, content) group by 2, 3"
        ).format(
            sql.Literal(table.name),
            way.names(),
            self._hash(table, ()),
            self._upgraded.target.table(table.name),
            way.joined(self._upgraded.target.schema),
        )

    def _hash(self, table: Table, left_out: Sequence[str]) -> sql.Composable:
        return row_hash(column_values([one for one in table.columns if one.name not in left_out], "t"), self._algorithm)

    def _changeable(self, name: str, change: ChangeByAirflow, condition: str) -> sql.Composed:
        """A query for ``dag_id, run_id, identity, content, unchanged`` of the target's rows, alias ``t``."""
        table = self._upgraded.tables[name]
        # What a row refers to changes with its state: who queued it, what it waits for.
        left_out = {*change.changed_columns, *surrogate_references(table, self._upgraded.target_tables)}
        identity = column_values([table.column(column) for column in identity_columns(table)], "t")
        return sql.SQL("select {}, {} as identity, {} as content, {} as unchanged from {} t where {}").format(
            self._ways[name].names(),
            row_hash(identity, self._algorithm),
            self._hash(table, ()),
            self._hash(table, sorted(left_out)),
            self._upgraded.target.table(name),
            sql.SQL(condition),
        )

    def _by_airflow(self, name: str, dag: str, run: str) -> int:
        """By how much the target's own Airflow has made a run's sum smaller."""
        difference = 0
        for number, change in enumerate(CHANGES.get(name, ())):
            query = sql.SQL(
                "select coalesce(sum(c.content - n.content::numeric), 0) from mwaa_migrator.changeable_rows c "
                "join ({}) n using (dag_id, run_id, identity, unchanged) "
                "where (c.table_name, c.change, c.dag_id, c.run_id) = ({}, {}, {}, {})"
            ).format(
                self._changeable(name, change, change.after),
                *(sql.Literal(value) for value in (name, number, dag, run)),
            )
            difference += fetch_value(self._connection, query)
        return difference


class Others(NamedTuple):
    """``changed`` are runs, by table; ``not_verified`` is what the delta follows, if that leaves nothing to compare."""

    changed: Dict[str, List[str]]
    not_verified: str | None


def compare_and_record(upgraded: UpgradedArtifact, verified: bool) -> Others:
    """Compare the runs outside of a delta with what is recorded of them, and record the sums if all is well.

    The caller commits. ``verified`` says that the target has what the artifact holds.
    """
    sums = TargetSums(upgraded)
    if sums.follows is not None and not sums.can_compare:
        sums.forget()
        return Others({}, sums.follows)
    changed = {} if sums.follows is None else sums.changed()
    if verified and not changed:
        sums.record()
    return Others(changed, None)
