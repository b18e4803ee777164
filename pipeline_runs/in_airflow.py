"""Runs inside an Airflow installation, of version 2 or 3: answers requests, one JSON object on each line of its input.

One process answers them all, since starting Airflow costs more than most of what is asked. What Airflow prints goes to
standard error.
"""

import functools
import json
import os
import sys
import time
from unittest.mock import patch

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import airflow  # noqa: E402
import pendulum  # noqa: E402
from airflow import settings  # noqa: E402

IS_3 = airflow.__version__ >= "3"
if IS_3:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, DagBag, sync_bag_to_db
    from airflow.sdk.execution_time import supervisor, task_runner
    from airflow.serialization.serialized_objects import DagSerialization

    # `dag.test` makes a web application anew for each task, which takes longer than the task.
    supervisor.in_process_api_server = functools.cache(supervisor.in_process_api_server)
    finalize = task_runner.finalize

    def finalize_with_exception(ti, state, context, log, error):
        """What the task runner of a worker does; `dag.test` leaves callbacks without the exception."""
        context["exception"] = error
        finalize(ti, state, context, log, error)

    task_runner.finalize = finalize_with_exception
else:
    from airflow.models.dagbag import DagBag
    from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization

# The local AWS has done at once what operators wait for.
sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.1))


def parse(folder):
    """The tasks of each DAG by DAG id, and the import errors by file; every DAG can be stored for the scheduler."""
    found = DagBag(dag_folder=folder, include_examples=False)
    for dag in found.dags.values():
        DagSerialization.to_dict(dag)
    return {
        "dags": {dag_id: sorted(task.task_id for task in dag.tasks) for dag_id, dag in found.dags.items()},
        "errors": found.import_errors,
    }


def run(folder, dag_id, logical_date, conf, environment):
    """Runs a DAG of a folder to its end, with some of its parameters: its state and its tasks' states."""
    with patch.dict(os.environ, environment):
        dag = stored(folder).dags[dag_id]
        for task in dag.tasks:
            # A run in the foreground would wait ten minutes for the next try.
            task.retries = 0
        if IS_3:
            # The DAG is stored with its deadlines, but `dag.test` of 3.2.1 looks them up by their text, not their id.
            dag.deadline = None
        date = pendulum.parse(logical_date)
        dates = {"logical_date": date, "run_after": date} if IS_3 else {"execution_date": date}
        done = dag.test(run_conf=conf, **dates)
        return {
            "state": str(done.state),
            "tasks": {item.task_id: str(item.state) for item in done.get_task_instances()},
        }


def stored(folder):
    """The DAGs of a folder, in the database as well where Airflow runs a DAG from there."""
    if not IS_3:
        return DagBag(dag_folder=folder, include_examples=False)
    found = BundleDagBag(dag_folder=folder, bundle_path=settings.DAGS_FOLDER, bundle_name="dags-folder")
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(found, "dags-folder", None)
    return found


def store(folder):
    """Puts a folder's DAGs into the database, active, for a scheduler; their ids."""
    return sorted(stored(folder).dags)


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"parse": parse, "run": run, "store": store}[request.pop("what")](**request)
    except Exception as error:  # noqa: BLE001  # Whatever it is, the test reads it.
        answer = {"failed": f"{type(error).__name__}: {error}"}
    finally:
        settings.Session.remove()
    answers.write(f"{json.dumps(answer)}\n")
    answers.flush()
