"""Forks for each request, from a process that has made its imports.

    fork_server.py <socket> <worker>

The worker is a Python file; its function `run` carries out a request and returns an exit code, with what the file has
imported at hand. A client writes a line of JSON to the Unix socket, {"stdout": file, "stderr": file, ...}, whose other
members are the worker's. It reads two: {"pid": n} when the child has started, as the leader of a process group, and
{"returncode": n} when it has ended; negative for a signal.

Python 3.7 has to be able to run this.
"""

import importlib.util
import json
import os
import socket
import sys
import threading
import traceback
from pathlib import Path


def load(file):
    spec = importlib.util.spec_from_file_location("worker", file)
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    return worker


def run(worker, request):
    """In the forked child; does not return."""
    returncode = 1
    try:
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            opened = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(opened, descriptor)
        os.setsid()
        try:
            returncode = worker.run(request)
        except SystemExit as ended:
            if ended.code is None or isinstance(ended.code, int):
                returncode = ended.code or 0
            else:
                sys.stderr.write(f"{ended.code}\n")
        except BaseException:  # noqa: BLE001  # whatever it is ends this child, as it would end an interpreter
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(returncode)


def answer(connection, stream, child):
    """Reports the child's start and its end."""
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


def serve(path, worker):
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
            run(worker, json.loads(line))
        threading.Thread(target=answer, args=(connection, stream, child), daemon=True).start()


if __name__ == "__main__":
    serve(sys.argv[1], load(sys.argv[2]))
