"""Runs a task of our DAGs as an Airflow of this version would, for the environment that the request has.

A request is {"environment": {...}, "dags": folder, "task": name, "run_id", "conf"}. The exit code is 0 done, 1 failed,
2 failed for good (AirflowFailException).
"""

import importlib
import os
import sys
import traceback
from types import SimpleNamespace

import airflow.models
import airflow.utils.db  # noqa: F401  # what an import needs
from airflow.exceptions import AirflowFailException
from airflow_process import become


def run(request):
    environment = request["environment"]
    sys.path += [*environment["PYTHONPATH"].split(os.pathsep), f"{environment['AIRFLOW_HOME']}/config"]
    become(environment)
    # Amazon MWAA's own, which Airflow imports when it starts.
    importlib.import_module("airflow_local_settings")
    sys.path.insert(0, request["dags"])
    tasks = importlib.import_module("mwaa_migrator.dag_tasks.tasks")
    dag_run = SimpleNamespace(run_id=request["run_id"], conf=request["conf"])
    try:
        tasks.run_task(request["task"], {"dag_run": dag_run})
    except AirflowFailException:
        traceback.print_exc()
        return 2
    return 0
