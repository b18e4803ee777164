"""The metadata database by what the environment of Amazon MWAA's workers says, for tasks of Airflow 3.

There a task has no access through Airflow: it finds ``airflow-db-not-allowed:///`` for a URL. The ways (``ways_in.py``)
are tried in order, for each connection anew: a token lives for 15 minutes.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Any, Iterator, List, Mapping

from mwaa_migrator.errors import DatabaseOutOfReach
from mwaa_migrator.this_airflow.place import Place
from mwaa_migrator.this_airflow.ways_in import WAYS, Unusable

_URL = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_OLD_URL = "AIRFLOW__CORE__SQL_ALCHEMY_CONN"
_NOT_ALLOWED = "airflow-db-not-allowed:"


def is_airflow_kept_out(environment: Mapping[str, str]) -> bool:
    """Whether this is the environment of a task of Airflow 3 (``block_orm_access`` of its task SDK)."""
    return environment.get(_URL, "").startswith(_NOT_ALLOWED)


class WorkerEnvironment(Place):
    def __init__(self) -> None:
        self._ways = list(WAYS)
        with _url_that_airflow_accepts():
            import airflow  # noqa: F401

    @property
    def way_in(self) -> str:
        return self._ways[0].name

    def open(self) -> Any:
        """Raises DatabaseOutOfReach with what was tried."""
        failures: List[str] = []
        # The way that worked comes first the next time.
        for way in list(self._ways):
            try:
                connection = way.connect()
            except Unusable as unusable:
                failures.append(f"{way.name} ({unusable})")
                continue
            self._ways.remove(way)
            self._ways.insert(0, way)
            return connection
        raise DatabaseOutOfReach(
            "No way leads from this worker to the metadata database. Tried: {}. Nothing was read or written. Ask AWS "
            "Support which of these a worker should have, or, from a source before Airflow 3, migrate through 2.11, "
            "where tasks reach the database by Airflow's own engine.".format("; ".join(failures))
        )

    def admit_airflow(self) -> None:
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        event.listen(Engine, "do_connect", lambda *_: self.open())


@contextmanager
def _url_that_airflow_accepts() -> Iterator[None]:
    """Airflow makes its engine when it is imported, and there is none for the URL that a task finds."""
    before = {name: os.environ.pop(name) for name in (_URL, _OLD_URL) if name in os.environ}
    os.environ[_URL] = "postgresql+psycopg2://"
    try:
        yield
    finally:
        os.environ.update(before)
