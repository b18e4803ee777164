"""Processes that have imported Lambda's SDK, from which functions are forked: the import is half of a cold start."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from local.aws.functions.function import Function
from local.installations import lambda_runtime, processes
from local.installations.fork_server import ForkServer

_WORKER = Path(__file__).parent / "shim" / "warm_runtime.py"


class WarmRuntimes:
    """One process for each runtime, package and choice of layers, because what the SDK imports may be theirs."""

    def __init__(self, name: str) -> None:
        """`name`: the local AWS's; what is left of it is found by that."""
        self._name = name
        self._servers: dict[tuple[str, str], ForkServer] = {}
        self._lock = threading.Lock()

    def of(self, function: Function) -> ForkServer:
        """The one for a function, ready.

        Raises:
            local.installations.fork_server.ForkServerDied: the SDK cannot be imported with this package.
        """
        modules = module_path(function)
        with self._lock:
            key = (function.runtime, modules)
            if key not in self._servers:
                self._servers[key] = self._start(function, modules)
            server = self._servers[key]
        server.wait()
        return server

    def stop(self) -> None:
        for server in self._servers.values():
            server.stop()

    def _start(self, function: Function, modules: str) -> ForkServer:
        return ForkServer(
            lambda_runtime.install(function.runtime),
            _WORKER,
            {
                "LANG": "en_US.UTF-8",
                "PATH": os.environ["PATH"],
                "PYTHONPATH": modules,
                "PYTHONUNBUFFERED": "1",
                processes.MARKER: self._name,
            },
            function.package,
            processes.RUNNING / self._name / f"warm-runtime-{len(self._servers)}.log",
        )


def module_path(function: Function) -> str:
    """PYTHONPATH: a function's package and its layers."""
    return os.pathsep.join([str(function.package), *(str(layer / "python") for layer in function.layers)])
