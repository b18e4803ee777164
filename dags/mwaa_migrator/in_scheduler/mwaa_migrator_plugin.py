"""A plugin of mwaa-migrator: starts its engine beside the scheduler when a migration imports into this environment.

Airflow 3 keeps tasks out of the metadata database; a scheduler has it. This acts on runs of one DAG whose artifact is
below one place in S3 (``mwaa_migrator_plugin.json``), and does nothing else. ``mwaa_migrator/in_scheduler`` has what is
done for them. It comes in ``mwaa_migrator_engine.zip``, because modules in the plugins folder are imported as plugins.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import zipfile

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

_DAG = "mwaa_migrator_import"

#: Leaves the plugins folder off the path, and puts the engine last on it: a user's modules must not take the place of
#: the standard library's, nor ours that of a user's.
_RUN_MODULE = """
import sys
sys.path[:] = [folder for folder in sys.path if folder] + [sys.argv[1]]
import runpy
sys.argv[:2] = []
sys.argv.insert(0, "serve_run")
runpy.run_module("mwaa_migrator.dag_tasks.serve_run", run_name="__main__", alter_sys=True)
"""

_folder = os.path.dirname(os.path.abspath(__file__))
_log = logging.getLogger(__name__)


@hookimpl
def on_starting(component):
    """Take up what another scheduler has left: the hook below is called once for a run."""
    # A task has a marker for a component, and other jobs are other commands. The job does not know its kind yet.
    if type(component).__name__ != "Job" or sys.argv[1:2] != ["scheduler"]:
        return
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        runs = session.query(DagRun).filter(DagRun.dag_id == _DAG, DagRun.state == "running").all()
        found = [(run.conf, run.run_id) for run in runs]
    for conf, run_id in found:
        _serve(conf, run_id)


@hookimpl
def on_dag_run_running(dag_run, msg):
    if dag_run.dag_id == _DAG:
        _serve(dag_run.conf, dag_run.run_id)


def _serve(conf, run_id):
    with open(os.path.join(_folder, "mwaa_migrator_plugin.json"), encoding="utf-8") as file:
        artifacts = json.load(file)["artifacts"]
    url = conf.get("artifact") if isinstance(conf, dict) else None
    if not isinstance(url, str) or not url.startswith(artifacts):
        _log.info("mwaa_migrator_plugin: the run %s is of no migration that this is for", run_id)
        return
    engine = tempfile.mkdtemp(prefix="mwaa_migrator_")
    with zipfile.ZipFile(os.path.join(_folder, "mwaa_migrator_engine.zip")) as archive:
        archive.extractall(engine)
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN_MODULE, engine, url, _DAG, run_id, engine],
        env=dict(os.environ, MWAA_MIGRATOR_WAY_IN="plugin"),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    _log.info("mwaa_migrator_plugin: process %s serves the run %s", process.pid, run_id)


class MwaaMigratorPlugin(AirflowPlugin):
    name = "mwaa_migrator"
    listeners = (sys.modules[__name__],)
