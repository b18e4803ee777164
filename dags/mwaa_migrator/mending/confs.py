"""Makes runs' confs safe for Airflow 3's migrations, which unpickle each of them.

They would do so in a process that has the target's credentials, and one conf with a NaN ends the whole upgrade
(migration ``e39a26ac59f6``). So each conf is read first, by an unpickler that makes plain values only. What is plain
stays as it is, in a pickle that Python has written here. What JSON has no word for becomes what is nearest to it. Any
other conf is cleared, as Airflow clears those that it cannot convert. Both are named.
"""

from __future__ import annotations

import pickle
from typing import Any, List

from psycopg2 import sql

from mwaa_migrator.airflow_schema.pickles import NotPlain
from mwaa_migrator.airflow_schema.plain_values import unpickle
from mwaa_migrator.mending.batches import read_in_batches, write
from mwaa_migrator.mending.named_rows import NamedRows
from mwaa_migrator.postgres.identifiers import qualified

_CHANGED = "their conf holds what JSON has no word for, and was made text or a list"
_CLEARED = "their conf was cleared, because it holds {}"
_PROTOCOL = 4
#: Confs of runs that nobody gave one, of each protocol that Airflow's Pythons have written.
_EMPTY = [pickle.dumps({}, protocol) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]


def mend_confs(connection: Any, schema: str) -> List[str]:
    """Return a line for each kind of change, with examples. The table's confs are pickles."""
    table = qualified(schema, "dag_run")
    cleared, changed = NamedRows("runs"), NamedRows("runs")
    candidates = sql.SQL(
        "select t.ctid::text, octet_length(t.conf), concat_ws(' ', t.dag_id, t.run_id) from {} t "
        "where t.conf is not null and t.conf <> all({})"
    ).format(table, sql.Literal(_EMPTY))
    for rows in read_in_batches(connection, candidates, table, "conf"):
        confs = {}
        for place, conf, (name,) in rows:
            try:
                plain = unpickle(conf)
            except NotPlain as reason:
                cleared.add(name, _CLEARED.format(reason))
                confs[place] = None
                continue
            if plain.is_changed:
                changed.add(name, _CHANGED)
            if plain.is_changed or not _is_of_python(conf, plain.value):
                confs[place] = pickle.dumps(plain.value, _PROTOCOL)
        write(connection, table, "conf", confs)
    return cleared.lines() + changed.lines()


def _is_of_python(data: bytes, value: Any) -> bool:
    """Whether Python pickles this value so. Otherwise its own unpickler might make something else of the data."""
    protocol = data[1] if data[:1] == b"\x80" else 0
    return protocol <= pickle.HIGHEST_PROTOCOL and pickle.dumps(value, protocol) == data
