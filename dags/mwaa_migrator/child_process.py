"""Child processes of the engine: how they are started, and how they end when their parent has gone.

A killed import must leave nobody who writes to its scratch schema.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator

#: Where this package lies: the DAG folder, or the engine's file, which Python imports from as from a folder.
_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

#: Loads this package from its place and leaves the DAG folder off the path, where Airflow will put it last. In front, a
#: user's ``json.py`` would take the place of the standard library's; before Amazon MWAA's ``config/``, a user's
#: ``airflow_local_settings.py`` that of the one by which Airflow's engine gets its passwords.
_RUN_MODULE = """
import sys
sys.path[:] = [folder for folder in sys.path if folder]
import runpy
sys.path.insert(0, sys.argv.pop(1))
import mwaa_migrator
del sys.path[0]
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def start(module: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start a module of this package in a process of its own, with pipes for its input and output as text.

    ``options`` go to ``subprocess.Popen``.
    """
    return subprocess.Popen(
        [sys.executable, "-c", _RUN_MODULE, _FOLDER, module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
        env=dict(os.environ, PYTHONPATH=_python_path()),
        **options,
    )


@contextmanager
def killed_on_error(process: subprocess.Popen[str]) -> Iterator[None]:
    """Kill a process that ``start`` has started if its parent's work with it fails, and close its pipes in the end."""
    try:
        yield
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        for stream in (process.stdin, process.stdout):
            assert stream
            stream.close()


def _python_path() -> str:
    """PYTHONPATH without the DAG folder, which Amazon MWAA's image of Airflow 2.9.2 has in front."""
    dag_folder = os.path.realpath(_FOLDER)
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if folder and os.path.realpath(folder) != dag_folder)


def exit_with_parent(handle: Callable[[str], None] = lambda line: None) -> None:
    """Hand each line of standard input to ``handle``, from a thread, and exit at once when the input ends.

    Nothing is cleaned up: the main thread may sit in a statement for an hour, and the server rolls back what it began.
    """

    def read() -> None:
        # A stream of our own: when it shuts down, the interpreter takes sys.stdin's lock, which this thread would hold.
        with open(os.dup(sys.stdin.fileno()), encoding="utf-8") as lines:
            for line in lines:
                handle(line)
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
