"""What the target's Airflow makes of imported rows by itself, before anybody compares them with the source's.

Its DAGs are paused, and still its scheduler looks every five minutes after what other schedulers have left: a
SchedulerJob without a heartbeat counts as failed, and a task that such a scheduler had queued is taken back
(``SchedulerJobRunner.adopt_or_reset_orphaned_tasks``). Its triggerer works for deferred tasks: what they wait for
happens, they are scheduled and their trigger is deleted (``Trigger.submit_event``, ``.submit_failure``,
``.clean_unused``). A row of which exactly that has become counts as the source's, and its other columns must be equal.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple, Sequence

from psycopg2 import sql

from mwaa_migrator.airflow_schema.identity import identity_columns
from mwaa_migrator.comparison.comparable_rows import Meaning
from mwaa_migrator.postgres.catalog import Table, qualified
from mwaa_migrator.postgres.session import execute


class OwnChange(NamedTuple):
    """``was`` and ``became`` are conditions on ``t``, a row in the source and in the target; ``columns`` changed."""

    was: str
    became: str
    columns: Sequence[str]


CHANGES: Mapping[str, Sequence[OwnChange]] = {
    "job": [
        OwnChange(
            "t.job_type = 'SchedulerJob' and t.state = 'running'",
            "t.job_type = 'SchedulerJob' and t.state = 'failed'",
            ["state"],
        )
    ],
    "task_instance": [
        OwnChange("t.state in ('queued', 'running', 'restarting')", "t.state is null", ["state", "updated_at"]),
        OwnChange(
            "t.state = 'deferred'",
            "t.state = 'scheduled'",
            ["state", "updated_at", "next_method", "next_kwargs", "trigger_timeout"],
        ),
    ],
}


def settle(
    connection: Any, scratch: str, schema: str, tables: Mapping[str, Table], name: str, meaning: Callable[..., Meaning]
) -> int:
    """Give rows of ``mwaa_migrator_source`` (verify's) the hashes of what the target's Airflow has made of them.

    ``meaning`` makes the table's Meaning without the columns that it is given. Returns how many rows have changed.
    """
    if name == "trigger":
        return _forget_triggers(connection, scratch, schema, tables)
    changed = 0
    for change in CHANGES.get(name, ()):
        ignoring = meaning(ignored=change.columns)
        query = sql.SQL(
            """
            update mwaa_migrator_source s set identity = n.identity, content = n.content
              from ({} where {}) a join ({} where {}) b using (identity, content)
              join mwaa_migrator_target n on n.row = b.row
             where a.row = s.row and not exists (
                   select from mwaa_migrator_target x where x.identity = s.identity and x.content = s.content)
            """
        )
        changed += execute(
            connection,
            query.format(
                ignoring.of_source(scratch),
                sql.SQL(change.was),
                ignoring.of_target(schema),
                sql.SQL(change.became),
            ),
        )
    return changed


def _forget_triggers(connection: Any, scratch: str, schema: str, tables: Mapping[str, Table]) -> int:
    """Take the triggers away for which no task waits in the target."""
    if "task_instance" not in tables:
        return 0
    key = identity_columns(tables["task_instance"])
    same_task = sql.SQL(" and ").join([sql.SQL("i.{0} = j.{0}").format(sql.Identifier(column)) for column in key])
    query = sql.SQL(
        """
        delete from mwaa_migrator_source s using {} t
         where t.ctid = s.row
           and not exists (select from mwaa_migrator_target x where x.identity = s.identity)
           and not exists (
               select from {} i join {} j on {} where i.trigger_id = t.id and j.state = 'deferred')
        """
    )
    return execute(
        connection,
        query.format(
            qualified(scratch, "trigger"),
            qualified(scratch, "task_instance"),
            qualified(schema, "task_instance"),
            same_task,
        ),
    )
