"""The engine's child processes as forks of the server that the engine itself is a fork of.

A new interpreter needs a quarter of a second, and to import Airflow ten times that; an import starts half a dozen.
Python 3.7 has to be able to run this.
"""

import contextlib
import importlib
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
from array import array

from mwaa_migrator import child_process

COPY_WORKER = "mwaa_migrator.copying.copy_worker"


def use(server):
    """From here on `child_process.start` asks the server with that socket for a fork."""

    def start(module, *arguments, **options):
        return Child(server, module, arguments, **options)

    child_process.start = start


def run(request):
    """In the fork: does what a new interpreter with the module as its program would."""
    sys.argv = [request["child"], *request["arguments"]]
    if request["child"] == COPY_WORKER:
        # Its answers are all that it prints; it would not have imported Airflow, whose log goes to standard output.
        logging.getLogger().handlers.clear()
    try:
        importlib.import_module(request["child"]).main()
    except Exception:  # noqa: BLE001  # an interpreter hands over whatever nobody has caught
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


class Child:
    """What the engine uses of `subprocess.Popen`."""

    def __init__(self, server, module, arguments, stderr=None, errors="strict"):
        request = {"child": module, "arguments": arguments, "environment": dict(os.environ)}
        stdin, to_child = os.pipe()
        from_child, stdout = os.pipe()
        descriptors = [stdout, stdout if stderr == subprocess.STDOUT else 2, stdin]
        self.returncode = None
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.connect(server)
        self._connection.sendmsg([b"\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))])
        self._connection.sendall((json.dumps(request) + "\n").encode())
        os.close(stdin)
        os.close(stdout)
        self._answers = self._connection.makefile("r")
        self.pid = json.loads(self._answers.readline())["pid"]
        self.stdin = os.fdopen(to_child, "w", encoding="utf-8", errors=errors)
        self.stdout = os.fdopen(from_child, encoding="utf-8", errors=errors)

    def wait(self, timeout=None):
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            self.returncode = json.loads(self._answers.readline())["returncode"]
            self._answers.close()
            self._connection.close()
        return self.returncode

    def kill(self):
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
