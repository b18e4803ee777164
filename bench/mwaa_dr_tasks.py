"""Runs the tasks of one of mwaa-dr's DAGs, in their order, in this process; started by mwaa_dr.py in Airflow's Python.

A scheduler would add seconds to every task, so this is the least that the DAG can take one task at a time. The last
line of standard output is JSON: seconds by task.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from types import SimpleNamespace


def main() -> None:
    (name,) = sys.argv[1:]
    dag = import_module(f"mwaa_dr.{name}").dag
    run = SimpleNamespace(dag_id=name, run_id="bench", conf={}, get_task_instances=list)
    seconds = {}
    for task in dag.topological_sort():
        # The other tasks are empty and only join the branches.
        if hasattr(task, "python_callable"):
            begun = time.monotonic()
            task.python_callable(dag_run=run)
            seconds[task.task_id] = time.monotonic() - begun
    sys.stdout.write(json.dumps(seconds) + "\n")


if __name__ == "__main__":
    main()
