"""What Airflow 3's migrations change in rows without a word, by Alembic revision; a test proves each by a row.

What they do to every row, as renaming a column or giving it a new key, is no change in what the row says.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence, Tuple


class SilentChange(NamedTuple):
    """The migration ``revision``, of ``release``, changes the rows for which ``condition`` holds.

    ``condition`` is SQL on a row with the alias ``t``; ``needs`` are the columns that it reads. ``names`` are the
    columns by which people know a row; ``reason`` ends a line about these rows.
    """

    revision: str
    release: str
    table: str
    needs: Tuple[str, ...]
    condition: str
    names: Tuple[str, ...]
    reason: str


_TASK_INSTANCE = ("dag_id", "task_id", "run_id", "map_index")

SILENT_CHANGES: Sequence[SilentChange] = (
    SilentChange(
        "edc4f85a4619", "3.2.0", "log", ("event",), "t.event is null", ("id", "dttm", "owner"),
        "Airflow's migrations make their missing event an empty text",
    ),
    SilentChange(
        "888b59e02a5b", "3.2.0", "variable", ("val",), "t.val is null", ("key",),
        "Airflow's migrations make their missing value an empty text, which Variable.get then returns",
    ),
    SilentChange(
        "888b59e02a5b", "3.2.0", "variable", ("key", "id"), "t.key is null", ("id",),
        "Airflow's migrations give them a key, __airflow_var_fix_888b59e02a5b_ and their id",
    ),
    SilentChange(
        "888b59e02a5b", "3.2.0", "slot_pool", ("slots",), "t.slots is null", ("pool",),
        "Airflow's migrations give them 0 slots, where they had no number of them",
    ),
    SilentChange(
        "888b59e02a5b", "3.2.0", "task_instance", ("try_number",), "t.try_number is null", _TASK_INSTANCE,
        "Airflow's migrations make their missing number of tries 0",
    ),
    SilentChange(
        "888b59e02a5b", "3.2.0", "task_instance", ("max_tries",), "t.max_tries is null", _TASK_INSTANCE,
        "Airflow's migrations make their missing limit of tries -1",
    ),
)  # fmt: skip
