"""Which runs and task instances are unfinished, in SQL that every database takes."""

from __future__ import annotations

#: How many runs and task instances the manifest names; all of them are counted.
MOST_LISTED = 1000

#: By table: a condition, and the columns to name a row by, as far as the version has them. A task instance without a
#: state has not been looked at by the scheduler; if its run is unfinished, the run's own entry says so.
UNFINISHED = {
    "dag_run": ("coalesce(t.state, '') not in ('success', 'failed')", ("dag_id", "run_id", "state")),
    "task_instance": (
        "t.state is not null "
        "and t.state not in ('success', 'failed', 'skipped', 'upstream_failed', 'removed', 'shutdown')",
        ("dag_id", "run_id", "execution_date", "task_id", "map_index", "state"),
    ),
}
