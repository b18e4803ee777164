"""What a process has by the machine that it would be on; here an environment's machines are all one.

For 1.10.12 to 3.x; Python 3.7 has to be able to run this.
"""

import functools
import os
import sys

from airflow import settings
from airflow.executors import local_executor


def use_dag_folder(folder):
    """Makes it the DAG folder of this process and of those that it starts."""
    before = settings.DAGS_FOLDER
    settings.DAGS_FOLDER = os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = folder
    sys.path[:] = _replaced(sys.path, before, folder)
    python_path = os.environ["PYTHONPATH"].split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(_replaced(python_path, before, folder))


def make_workers(folder, variables):
    """Gives the tasks that this process's executor starts their DAG folder, and variables; None takes one away."""
    if hasattr(local_executor, "_run_worker"):  # from 3.0 on
        local_executor._run_worker = _on_worker(local_executor._run_worker, folder, variables)
    else:
        worker = getattr(local_executor, "LocalWorkerBase", local_executor.LocalWorker)  # 1.10 has no base
        worker.execute_work = _on_worker(worker.execute_work, folder, variables)


def _on_worker(execute, folder, variables):
    @functools.wraps(execute)
    def execute_on_worker(*arguments, **named):
        use_dag_folder(folder)
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        return execute(*arguments, **named)

    return execute_on_worker


def _replaced(path, before, folder):
    return [folder if entry == before else entry for entry in path]
