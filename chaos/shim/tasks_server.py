"""Runs our DAGs' tasks as an Airflow of this version would, without the Airflow of any one environment.

    tasks_server.py <socket>

It has Airflow imported once, and forks for each task. A client writes a line of JSON {"environment": {...}, "dags":
folder, "task": name, "run_id", "conf", "output": file} to the Unix socket, and reads {"pid": n} when the task has
started and {"returncode": n} when it has ended: 0 done, 1 failed, 2 failed for good (AirflowFailException).
"""

import importlib
import json
import os
import socket
import sys
import threading
import traceback
from pathlib import Path
from types import SimpleNamespace

import airflow.models
import airflow.utils.db  # noqa: F401  # what an import needs
from airflow import settings
from airflow.exceptions import AirflowFailException
from airflow.models import crypto


def become(environment):
    """Makes this process one of the environment's."""
    os.environ.clear()
    os.environ.update(environment)
    settings.configure_vars()
    settings.configure_orm()
    crypto._fernet = None


def run(request):
    """In the forked child; does not return."""
    returncode = 1
    try:
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.setsid()
        become(request["environment"])
        sys.path.insert(0, request["dags"])
        tasks = importlib.import_module("mwaa_migrator.dag_tasks.tasks")
        try:
            dag_run = SimpleNamespace(run_id=request["run_id"], conf=request["conf"])
            tasks.run_task(request["task"], {"dag_run": dag_run})
            returncode = 0
        except AirflowFailException:
            traceback.print_exc()
            returncode = 2
        except BaseException:  # noqa: BLE001  # whatever ends a task, Airflow takes it for a failure
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(returncode)


def answer(connection, stream, child):
    """Tells the client of the child's start and end."""
    with connection, stream:
        try:
            stream.write(json.dumps({"pid": child}) + "\n")
            stream.flush()
            _, status = os.waitpid(child, 0)
            returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
            stream.write(json.dumps({"returncode": returncode}) + "\n")
            stream.flush()
        except OSError:  # the client has gone
            return


def serve(path):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The socket appears under its name when it is ready.
    server.bind(path + ".new")
    server.listen(8)
    Path(path + ".new").rename(path)
    while True:
        connection, _ = server.accept()
        stream = connection.makefile("rw")
        line = stream.readline()
        if not line:
            connection.close()
            continue
        child = os.fork()
        if child == 0:
            server.close()
            run(json.loads(line))
        threading.Thread(target=answer, args=(connection, stream, child), daemon=True).start()


if __name__ == "__main__":
    serve(sys.argv[1])
