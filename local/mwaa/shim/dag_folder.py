"""The DAG folder of a process, by the machine that it would be on; here an environment's machines are all one.

For 1.10.12 to 3.x; Python 3.7 has to be able to run this.
"""

import functools
import os
import sys

from airflow import settings
from airflow.executors import local_executor


def use(folder):
    """Makes it the DAG folder of this process and of those that it starts."""
    before = settings.DAGS_FOLDER
    settings.DAGS_FOLDER = os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = folder
    sys.path[:] = _replaced(sys.path, before, folder)
    python_path = os.environ["PYTHONPATH"].split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(_replaced(python_path, before, folder))


def give_to_workers(folder):
    """Makes it the DAG folder of the tasks that this process's executor starts."""
    if hasattr(local_executor, "_run_worker"):  # from 3.0 on
        local_executor._run_worker = _in_folder(local_executor._run_worker, folder)
    else:
        worker = getattr(local_executor, "LocalWorkerBase", local_executor.LocalWorker)  # 1.10 has no base
        worker.execute_work = _in_folder(worker.execute_work, folder)


def _in_folder(execute, folder):
    @functools.wraps(execute)
    def execute_in_folder(*arguments, **named):
        use(folder)
        return execute(*arguments, **named)

    return execute_in_folder


def _replaced(path, before, folder):
    return [folder if entry == before else entry for entry in path]
