"""Runs airflow commands without their start-up time: has Airflow imported once, and forks for each command.

    warm_cli.py <socket>

A client writes one line of JSON {"arguments": [...], "stdout": file, "stderr": file} to the Unix socket, and reads two:
{"pid": n} when the command has started, {"returncode": n} when it has ended. Python 3.7 has to be able to run this,
with Airflow 1.10.12 to 3.x. It is the same code as the `airflow` program's, which MWAA starts for each command.
"""

import json
import os
import socket
import sys
import traceback
from pathlib import Path


def load():
    """The main function of the version's CLI, with what its commands need already imported."""
    try:
        from airflow.bin.cli import CLIFactory  # 1.10
    except ImportError:
        from airflow.__main__ import main
        from airflow.cli import cli_parser
        from airflow.cli.commands import dag_command, pool_command, task_command, variable_command  # noqa: F401

        cli_parser.get_parser()
        return main

    def main_of_1_10():
        arguments = CLIFactory.get_parser().parse_args()
        arguments.func(arguments)

    return main_of_1_10


def run(main, request):
    """In the forked child; does not return."""
    returncode = 1
    try:
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            opened = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(opened, descriptor)
        os.setsid()
        sys.argv = ["airflow", *request["arguments"]]
        try:
            main()
            returncode = 0
        except SystemExit as ended:
            if ended.code is None or isinstance(ended.code, int):
                returncode = ended.code or 0
            else:
                sys.stderr.write(f"{ended.code}\n")
        except BaseException:  # noqa: BLE001  # whatever ends the command ends this child, as the interpreter would
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(returncode)


def serve(path):
    main = load()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The socket appears under its name when it is ready.
    server.bind(path + ".new")
    server.listen(8)
    Path(path + ".new").rename(path)
    while True:
        connection, _ = server.accept()
        with connection, connection.makefile("rw") as stream:
            line = stream.readline()
            if not line:
                continue
            child = os.fork()
            if child == 0:
                server.close()
                run(main, json.loads(line))
            try:
                stream.write(json.dumps({"pid": child}) + "\n")
                stream.flush()
                _, status = os.waitpid(child, 0)
                returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
                stream.write(json.dumps({"returncode": returncode}) + "\n")
                stream.flush()
            except OSError:  # the client has gone; the next one may come
                os.waitpid(-1, os.WNOHANG)


if __name__ == "__main__":
    serve(sys.argv[1])
