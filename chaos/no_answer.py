"""Servers that give no answer, and clients that wait seconds for one instead of minutes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse

from werkzeug.wrappers import Response

from local.aws.functions.function import Function

#: How long functions and tasks wait for an answer: long enough for one that comes, on a busy machine.
READ_SECONDS = 3.0
#: How long a server keeps silent: until every client has given up.
_HANGING_SECONDS = READ_SECONDS + 1
# Is also a layer of functions: Lambda puts its `python` folder on the path.
_SHIM = Path(__file__).parent / "shim"

#: Environment variables for processes of Airflow.
SHORT_TIMEOUTS = {"CHAOS_READ_SECONDS": str(READ_SECONDS), "PYTHONPATH": str(_SHIM / "python")}


def with_short_timeouts(function: Function) -> Function:
    """The function, waiting READ_SECONDS for an answer at most."""
    seconds = {"CHAOS_READ_SECONDS": str(READ_SECONDS)}
    return replace(function, layers=(*function.layers, _SHIM), variables={**function.variables, **seconds})


class NoAnswer(Response):
    """Closes the connection without an answer: at once, or (`hanging`) when no client waits, or `stopped` is set."""

    def __init__(self, stopped: threading.Event, *, hanging: bool) -> None:
        super().__init__()
        self._stopped = stopped
        self._hanging = hanging

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if self._hanging:
            self._stopped.wait(_HANGING_SECONDS)
        connection: socket.socket = environ["werkzeug.socket"]
        with contextlib.suppress(OSError):  # the client was faster
            connection.shutdown(socket.SHUT_RDWR)
        # Werkzeug then takes the client for gone, and writes nothing.
        raise ConnectionAbortedError
