"""Child processes of the engine: how they are started, and how they end when their parent has gone.

A killed import must leave nobody who writes to its scratch schema.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any, Callable


def start(module: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start a module of this package in a process of its own, with pipes for its input and output as text.

    ``options`` go to ``subprocess.Popen``.
    """
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=_environment(),
        universal_newlines=True,
        **options,
    )


def _environment() -> dict[str, str]:
    """Our environment, in which Python finds this package wherever it is."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = [part for part in (folder, os.environ.get("PYTHONPATH", "")) if part]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(path))


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
