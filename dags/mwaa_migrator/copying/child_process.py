"""Parent and child: a child finds this package, and ends when its parent has gone.

A killed import must leave nobody writing to its scratch schema.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Callable


def exit_with_parent(handle: Callable[[str], None] = lambda line: None) -> None:
    """Give each line of standard input to ``handle``, from a thread, and exit at once when the input ends.

    There is no clean-up: the main thread may sit in a statement for an hour, and the server rolls back what it began.
    """

    def read() -> None:
        # A stream of our own: the interpreter takes sys.stdin's lock when it shuts down, and this thread would hold it.
        with open(os.dup(sys.stdin.fileno()), encoding="utf-8") as lines:
            for line in lines:
                handle(line)
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()


def child_environment() -> dict[str, str]:
    """The environment of a child that runs a module of this package, wherever the package lies."""
    package_parent = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = [part for part in (package_parent, os.environ.get("PYTHONPATH", "")) if part]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(path))
