"""Runs a Python module as `python -m` does, with Airflow imported.

A request is {"module", "arguments": [...], "environment": {...}}. Python 3.7 has to be able to run this.
"""

import runpy
import sys

import psycopg2.extensions  # noqa: F401  # with Airflow, what takes longest to import
from airflow_process import become


def run(request):
    become(request["environment"])
    # The place of this server's own folder, which `python -m` gives to the working directory.
    sys.path[0] = ""
    sys.argv = [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    return 0
