"""What the target's Airflow makes of imported rows by itself, before anybody compares them with the source's.

Although its DAGs are paused, its scheduler looks every five minutes for what other schedulers have left: a SchedulerJob
without a heartbeat counts as failed, and a task that such a scheduler had queued is taken back
(``SchedulerJobRunner.adopt_or_reset_orphaned_tasks``). Its triggerer works for deferred tasks: what they wait for
happens, they are scheduled, and their trigger is deleted (``Trigger.submit_event``, ``.submit_failure``,
``.clean_unused``). A row that has changed in exactly that way counts as the source's; its other columns must be equal.
"""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import identity_columns
from mwaa_migrator.comparison.comparable_rows import ComparableRows
from mwaa_migrator.postgres.session import execute
from mwaa_migrator.scratch.upgraded_artifact import UpgradedArtifact
from mwaa_migrator.verify.verify_tables import SOURCE_ROWS, TARGET_ROWS


class ChangeByAirflow(NamedTuple):
    """``before`` and ``after`` are conditions on ``t``, the row in the source and in the target."""

    before: str
    after: str
    changed_columns: Sequence[str]


CHANGES: Mapping[str, Sequence[ChangeByAirflow]] = {
    "job": [
        ChangeByAirflow(
            "t.job_type = 'SchedulerJob' and t.state = 'running'",
            "t.job_type = 'SchedulerJob' and t.state = 'failed'",
            ["state"],
        )
    ],
    "task_instance": [
        ChangeByAirflow("t.state in ('queued', 'running', 'restarting')", "t.state is null", ["state", "updated_at"]),
        ChangeByAirflow(
            "t.state = 'deferred'",
            "t.state = 'scheduled'",
            ["state", "updated_at", "next_method", "next_kwargs", "trigger_timeout"],
        ),
    ],
}


def accept_changes_by_airflow(upgraded: UpgradedArtifact, rows: ComparableRows) -> int:
    """In verify's temporary table, give the source's rows the hashes of what the target's Airflow made of them.

    Returns how many rows it was.
    """
    if rows.table.name == "trigger":
        return _accept_deleted_triggers(upgraded)
    accepted = 0
    for change in CHANGES.get(rows.table.name, ()):
        unchanged = rows.without(change.changed_columns)
        query = sql.SQL(
            """
            update {source_rows} s set identity = n.identity, content = n.content
              from ({source} where {before}) a join ({target} where {after}) b using (identity, content)
              join {target_rows} n on n.row = b.row
             where a.row = s.row and not exists (
                   select from {target_rows} x where x.identity = s.identity and x.content = s.content)
            """
        ).format(
            source_rows=SOURCE_ROWS,
            target_rows=TARGET_ROWS,
            source=unchanged.of_source(),
            before=sql.SQL(change.before),
            target=unchanged.of_target(),
            after=sql.SQL(change.after),
        )
        accepted += execute(upgraded.connection, query)
    return accepted


def _accept_deleted_triggers(upgraded: UpgradedArtifact) -> int:
    """Take away the triggers for which no task waits in the target any more."""
    if "task_instance" not in upgraded.tables:
        return 0
    key = identity_columns(upgraded.tables["task_instance"])
    same_task = sql.SQL(" and ").join([sql.SQL("i.{0} = j.{0}").format(sql.Identifier(column)) for column in key])
    query = sql.SQL(
        """
        delete from {source_rows} s using {trigger} t
         where t.ctid = s.row
           and not exists (select from {target_rows} x where x.identity = s.identity)
           and not exists (
               select from {source_tasks} i join {target_tasks} j on {same_task}
                where i.trigger_id = t.id and j.state = 'deferred')
        """
    ).format(
        source_rows=SOURCE_ROWS,
        target_rows=TARGET_ROWS,
        trigger=upgraded.scratch.table("trigger"),
        source_tasks=upgraded.scratch.table("task_instance"),
        target_tasks=upgraded.target.table("task_instance"),
        same_task=same_task,
    )
    return execute(upgraded.connection, query)
