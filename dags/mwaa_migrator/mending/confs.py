"""Makes runs' confs safe for Airflow 3's migrations, which unpickle each of them.

They would do so in a process that has the target's credentials, and one conf with a NaN ends the whole upgrade
(migration ``e39a26ac59f6``). So each conf is read first, by an unpickler that makes plain values only. What is plain
stays as it is, in a pickle that Python has written here. What JSON has no word for becomes what is nearest to it. Any
other conf is cleared, as Airflow clears those that it cannot convert. Both are named.
"""

from __future__ import annotations

import pickle
import time
from typing import Any, List, NamedTuple, Tuple

from psycopg2 import sql

from mwaa_migrator.airflow_schema.pickles import NotPlain
from mwaa_migrator.airflow_schema.plain_values import unpickle
from mwaa_migrator.mending.batches import read_in_batches, write
from mwaa_migrator.mending.named_rows import NamedRows
from mwaa_migrator.postgres.identifiers import qualified
from mwaa_migrator.postgres.row_names import row_name
from mwaa_migrator.postgres.session import fetch_value

_CHANGED = "their conf holds what JSON has no word for, and was made text or a list"
_CLEARED = "their conf was cleared, because it holds {}"
_PROTOCOL = 4

#: A search reads no larger confs: reading one takes twenty times as much memory.
MOST_BYTES = 4 * 1024 * 1024
#: Confs of runs that nobody gave one, of each protocol that Airflow's Pythons have written.
_EMPTY = [pickle.dumps({}, protocol) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]


def mend_confs(connection: Any, schema: str) -> List[str]:
    """Return a line for each kind of change, with examples. The table's confs are pickles."""
    table = qualified(schema, "dag_run")
    changed = NamedRows("run")
    for rows in read_in_batches(connection, _candidates(connection, table, sql.SQL("true")), table, "conf"):
        confs = {}
        for place, conf, (name,) in rows:
            mended = _mend(conf)
            if mended.reason:
                changed.add(name, mended.reason)
            if mended.conf != conf:
                confs[place] = mended.conf
        write(connection, table, "conf", confs)
    # First what is lost.
    return sorted(changed.lines(), key=lambda line: line.endswith(_CHANGED))


def find_confs_to_mend(
    connection: Any, table: sql.Composable, condition: sql.Composable, seconds: float
) -> Tuple[NamedRows, List[str]]:
    """The runs for which the condition holds (alias ``t``) and whose conf would be mended; nothing is written.

    Also what was left unread, in a sentence: confs of more than MOST_BYTES, and all those after ``seconds``.
    """
    changed = NamedRows("run")
    until = time.monotonic() + seconds
    read = 0
    small = sql.SQL("({}) and octet_length(t.conf) <= {}").format(condition, sql.Literal(MOST_BYTES))
    for rows in read_in_batches(connection, _candidates(connection, table, small), table, "conf"):
        for _, conf, (name,) in rows:
            reason = _mend(conf).reason
            if reason:
                changed.add(name, reason)
        read += len(rows)
        if time.monotonic() > until:
            break
    count = sql.SQL("select count(*) from ({}) candidates").format(_candidates(connection, table, condition))
    left = int(fetch_value(connection, count)) - read
    what = "1 conf of a run was" if left == 1 else f"{left} confs of runs were"
    unread = f"{what} not looked at: too large, or it would have taken more than {seconds:.0f} s"
    return changed, [unread] if left else []


def _candidates(connection: Any, table: sql.Composable, condition: sql.Composable) -> sql.Composed:
    return sql.SQL(
        "select t.ctid::text, octet_length(t.conf), {} from {} t "
        "where t.conf is not null and t.conf <> all({}) and ({})"
    ).format(_name(connection), table, sql.Literal(_EMPTY), condition)


def _name(connection: Any) -> sql.Composed:
    return row_name(("dag_id", "run_id"), connection.get_parameter_status("server_encoding"))


class _MendedConf(NamedTuple):
    """``reason`` ends the line that names the run; it is empty where the conf says the same as before."""

    conf: bytes | None
    reason: str


def _mend(conf: bytes) -> _MendedConf:
    try:
        plain = unpickle(conf)
    except NotPlain as reason:
        return _MendedConf(None, _CLEARED.format(reason))
    if plain.is_changed:
        return _MendedConf(pickle.dumps(plain.value, _PROTOCOL), _CHANGED)
    return _MendedConf(conf if _is_of_python(conf, plain.value) else pickle.dumps(plain.value, _PROTOCOL), "")


def _is_of_python(data: bytes, value: Any) -> bool:
    """Whether Python pickles this value so. Otherwise its own unpickler might make something else of the data."""
    protocol = data[1] if data[:1] == b"\x80" else 0
    return protocol <= pickle.HIGHEST_PROTOCOL and pickle.dumps(value, protocol) == data
