"""Child processes of the engine: how they are started, and how they end when their parent has gone.

A killed import must leave nobody who writes to its scratch schema.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any, Callable

#: Puts the folder of this package last on the path, as Airflow does. In front, a ``json.py`` in the DAG folder would
#: take the place of the standard library's.
_RUN_MODULE = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def start(module: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start a module of this package in a process of its own, with pipes for its input and output as text.

    ``options`` go to ``subprocess.Popen``.
    """
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return subprocess.Popen(
        [sys.executable, "-c", _RUN_MODULE, folder, module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
        **options,
    )


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
