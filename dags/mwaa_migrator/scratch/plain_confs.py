"""Makes runs' confs safe for Airflow 3's migrations, which unpickle each of them.

They would do so in a process that has the target's credentials, and one conf with a NaN ends the whole upgrade
(migration ``e39a26ac59f6``). So each conf is read first, by an unpickler that makes plain values only. What is plain
stays as it is. What JSON has no word for becomes what is nearest to it. Any other conf is cleared, as Airflow clears
those that it cannot convert. Both are named.
"""

from __future__ import annotations

import pickle
from typing import Any, Dict, List, Tuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.plain_values import NotPlain, unpickle
from mwaa_migrator.postgres.catalog import read_tables
from mwaa_migrator.postgres.row_names import listed
from mwaa_migrator.postgres.session import execute
from mwaa_migrator.scratch.scratch_schema import ScratchSchema

_RUN = "dag_run"
_BATCH = 1000
#: Runs that a line names.
_EXAMPLES = 3

Run = Tuple[int, str]


def make_confs_plain(scratch: ScratchSchema) -> List[str]:
    """Commit, and return a line for each kind of change, with examples; nothing for a source whose confs are JSON."""
    tables = read_tables(scratch.connection, scratch.name)
    if _RUN not in tables or all((column.name, column.type) != ("conf", "bytea") for column in tables[_RUN].columns):
        return []
    changed: List[Run] = []
    cleared: Dict[str, List[Run]] = {}
    table = scratch.table(_RUN)
    with scratch.connection.cursor("mwaa_migrator_confs") as confs:
        confs.itersize = _BATCH
        confs.execute(
            sql.SQL("select id, concat_ws(' ', dag_id, run_id), conf from {} where conf <> {}").format(
                table, sql.Literal(pickle.dumps({}, protocol=4))
            )
        )
        for key, name, conf in confs:
            data = bytes(conf)
            try:
                plain = unpickle(data)
            except NotPlain as reason:
                cleared.setdefault(str(reason), []).append((key, name))
                _set(scratch.connection, table, key, None)
                continue
            if plain.is_changed:
                changed.append((key, name))
                _set(scratch.connection, table, key, pickle.dumps(plain.value, protocol=2))
    scratch.connection.commit()
    lines = [f"{_named(runs)}: their conf was cleared, because it holds {reason}" for reason, runs in cleared.items()]
    if changed:
        lines.append(f"{_named(changed)}: their conf holds what JSON has no word for, and was made text or a list")
    return lines


def _set(connection: Any, table: sql.Composable, key: int, conf: bytes | None) -> None:
    execute(
        connection, sql.SQL("update {} set conf = {} where id = {}").format(table, sql.Literal(conf), sql.Literal(key))
    )


def _named(runs: List[Run]) -> str:
    return f"{len(runs)} runs ({listed([name for _, name in runs[:_EXAMPLES]], len(runs))})"
