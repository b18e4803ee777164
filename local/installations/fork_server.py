"""A process that forks for each request, so that no request waits for imports; shim/fork_server.py runs in it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_SERVER = Path(__file__).parent / "shim" / "fork_server.py"
_START_SECONDS = 60.0


class ForkServerDied(Exception):
    """The process did not start, or has ended; the message ends with what it printed."""


class ForkServer:
    """Starts in the background; takes any number of requests at once."""

    def __init__(self, python: Path, worker: Path, environment: Mapping[str, str], directory: Path, log: Path) -> None:
        """
        Args:
            python: the interpreter that runs the worker.
            worker: the file whose function `run` carries out a request.
            directory: the working directory.
            log: gets what the server itself prints.
        """
        # A Unix socket's path has at most 107 bytes, which a build directory easily exceeds.
        self._folder = Path(tempfile.mkdtemp(prefix="fork-"))
        self._socket = self._folder / "socket"
        self._worker = worker
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(python), str(_SERVER), str(self._socket), str(worker)],
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def is_ready(self) -> bool:
        return self._socket.exists() and self._process.poll() is None

    def wait(self) -> None:
        """Returns when it is ready.

        Raises:
            ForkServerDied: it is not, and will not be.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not self.is_ready:
            if self._process.poll() is not None or time.monotonic() > deadline:
                printed = self._log.read_text(errors="replace")[-2000:]
                raise ForkServerDied(f"the server of {self._worker.name} did not start or has ended:\n{printed}")
            time.sleep(0.05)

    def run(
        self,
        request: Mapping[str, Any],
        stdout: Path,
        stderr: Path,
        timeout: float | None = None,
        started: Callable[[int], None] = lambda pid: None,
    ) -> int:
        """Carries out a request, and returns its exit code, negative for a signal.

        Args:
            stdout: the file to which its standard output is appended; `stderr` may be the same.
            started: called with the id of the process that carries it out, which leads a process group.

        Raises:
            subprocess.TimeoutExpired: it was killed after `timeout` seconds.
        """
        line = json.dumps({**request, "stdout": str(stdout), "stderr": str(stderr)})
        child = None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(self._socket))
            stream = connection.makefile("rw")
            try:
                stream.write(line + "\n")
                stream.flush()
                child = int(json.loads(stream.readline())["pid"])
                started(child)
                return int(json.loads(stream.readline())["returncode"])
            except TimeoutError as error:
                if child is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(child, signal.SIGKILL)
                raise subprocess.TimeoutExpired(self._worker.name, timeout or 0) from error

    def stop(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
