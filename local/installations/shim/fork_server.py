"""Forks for each request, from a process that has made its imports.

    fork_server.py <socket> <worker>

The worker is a Python file; its function `run` carries out a request and returns an exit code, with what the file has
imported at hand. A client sends to the Unix socket an empty line with file descriptors, for standard output, standard
error and, where there are three, standard input, and then the request, a line of JSON. It reads two lines: {"pid": n}
when the child has started, as the leader of a process group, and {"returncode": n} when it has ended; negative for a
signal. The server ends with the process that has started it, however that ends.

Python 3.7 has to be able to run this.
"""

import atexit
import gc
import importlib.util
import json
import os
import shutil
import socket
import sys
import threading
import time
import traceback
from array import array
from pathlib import Path


def load(file):
    spec = importlib.util.spec_from_file_location("worker", file)
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    return worker


def receive(connection):
    """The descriptors that a client sends first."""
    descriptors = array("i")
    _, ancillary, _, _ = connection.recvmsg(1, socket.CMSG_SPACE(3 * descriptors.itemsize))
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data)
    return list(descriptors)


def run(worker, request, streams):
    """In the forked child; does not return."""
    returncode = 1
    try:
        os.setsid()
        for descriptor, sent in zip((1, 2, 0), streams):
            os.dup2(sent, descriptor)
            os.close(sent)
        try:
            returncode = worker.run(request)
        except SystemExit as ended:
            if ended.code is None or isinstance(ended.code, int):
                returncode = ended.code or 0
            else:
                sys.stderr.write(f"{ended.code}\n")
        except BaseException:  # noqa: BLE001  # whatever it is ends this child, as it would end an interpreter
            traceback.print_exc()
        atexit._run_exitfuncs()
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


def exit_with(parent, path):
    """Ends this process when its parent has gone: a worker of pytest-xdist ends without a word to anybody."""
    while os.getppid() == parent:
        time.sleep(2)
    shutil.rmtree(str(Path(path).parent), ignore_errors=True)
    os._exit(0)


def serve(path, worker):
    # A collection in a child would otherwise write to, and so copy, all that it shares with this process.
    gc.collect()
    gc.freeze()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The socket appears under its name when it is ready.
    server.bind(path + ".new")
    server.listen(8)
    Path(path + ".new").rename(path)
    while True:
        connection, _ = server.accept()
        streams = receive(connection)
        stream = connection.makefile("rw")
        line = stream.readline()
        if line:
            child = os.fork()
            if child == 0:
                server.close()
                stream.close()
                connection.close()
                run(worker, json.loads(line), streams)
        for descriptor in streams:
            os.close(descriptor)
        if not line:
            stream.close()
            connection.close()
            continue
        threading.Thread(target=answer, args=(connection, stream, child), daemon=True).start()


if __name__ == "__main__":
    threading.Thread(target=exit_with, args=(os.getppid(), sys.argv[1]), daemon=True).start()
    serve(sys.argv[1], load(sys.argv[2]))
