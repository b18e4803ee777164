"""Sources with real history: metadata databases that an Airflow of each version has filled by running DAGs.

    with PostgresServer(directory / "postgres") as server:
        source = make_source("2.10.3", server, directory / "source")

`dags/` has the DAGs that run there, and `contents` in it what they leave; `in_airflow` does what needs Airflow's own
API; `seed` adds by SQL what no DAG run leaves. `rows_by_sql` fills a database without an Airflow, `deployment` runs the
engine's commands, and `environment_rows` reads every row of an environment.
"""

from __future__ import annotations

from sources.source import FERNET_KEY, Source, SourceNotFilled, XCom, make_source

__all__ = ["FERNET_KEY", "Source", "SourceNotFilled", "XCom", "make_source"]
