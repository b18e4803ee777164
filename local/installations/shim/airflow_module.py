"""Runs a program with Airflow and the engine imported: the engine's command, for example, and its child processes.

A request is {"module" or "file", "arguments": [...], "environment": {...}}, for what `python -m` or `python` with a
file would run, or that of a child process (forked_children.py).
Python 3.7 has to be able to run this.
"""

import runpy
import sys

import airflow.utils.db  # with Airflow and psycopg2, what takes longest to import
import forked_children
import mwaa_migrator.copying.copy_worker
import mwaa_migrator.export.export_artifact
import mwaa_migrator.merge.import_artifact
import mwaa_migrator.scratch.run_migrations
import mwaa_migrator.verify.verify_import  # noqa: F401
from airflow_process import become
from mwaa_migrator.this_airflow import migrations

migrations.tables_in_migrations()
try:
    # From here on the engine imports artifacts, and this is what Airflow's migrations import.
    from airflow.models import import_all_models

    import_all_models()
    import airflow.www.app  # noqa: F401

    migrations.head_revision()
except ImportError:
    pass

_SOCKET = sys.argv[1]


def run(request):
    become(request["environment"])
    if "child" in request:
        return forked_children.run(request)
    forked_children.use(_SOCKET)
    sys.argv = [request.get("module") or request["file"], *request["arguments"]]
    if "file" in request:
        runpy.run_path(request["file"], run_name="__main__")
    else:
        # The place of this server's own folder, which `python -m` gives to the working directory.
        sys.path[0] = ""
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    return 0
