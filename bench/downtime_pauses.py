"""Pauses or unpauses DAGs with the engine; started by downtime.py in Airflow's Python.

`pause FILE` pauses every active DAG and names them in the file; `unpause FILE` unpauses those that it names. The last
line of standard output is JSON, `{"dags", "phases"}`: how many there were, and nothing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mwaa_migrator.dag_tasks.dag_states import active_dags, set_paused
from mwaa_migrator.this_airflow.database import metadata_database


def main() -> None:
    command, file = sys.argv[1], Path(sys.argv[2])
    with metadata_database() as database:
        if command == "pause":
            file.write_text(json.dumps(active_dags(database)))
        dags = json.loads(file.read_text())
        set_paused(database, dags, command == "pause")
    sys.stdout.write(json.dumps({"dags": len(dags), "phases": []}) + "\n")


if __name__ == "__main__":
    main()
