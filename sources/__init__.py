"""Sources with real history: metadata databases that an Airflow of a given version filled by running DAGs.

    with PostgresServer(directory / "postgres") as server:
        source = make_source("2.10.3", server, directory / "source")

`dags/` is what runs there, `contents` in it says what that leaves; `in_airflow` is what needs Airflow's own API; `seed`
adds by SQL what no DAG run leaves.
"""

from __future__ import annotations

from sources.source import FERNET_KEY, Source, SourceNotFilled, XCom, make_source, read_xcoms

__all__ = ["FERNET_KEY", "Source", "SourceNotFilled", "XCom", "make_source", "read_xcoms"]
