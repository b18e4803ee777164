"""A process that forks for each request, so that no request waits for imports; shim/fork_server.py runs in it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TextIO

_SERVER = Path(__file__).parent / "shim" / "fork_server.py"
_START_SECONDS = 60.0


class ForkServerDied(Exception):
    """The process did not start, or has ended; the message ends with what it printed."""


class ForkedProcess:
    """A process that carries out a request.

    Attributes:
        pid: it leads a process group.
        returncode: negative for a signal; None until `poll` or `wait` has found that it has ended.
    """

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._connection = connection

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """
        Raises:
            subprocess.TimeoutExpired: it runs on.
        """
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            answer = _read_line(self._connection)
            self._connection.close()
            # The server says nothing when it is killed, and what it has forked may run on.
            self.returncode = int(json.loads(answer)["returncode"]) if answer else -signal.SIGKILL
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Does nothing where it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkedCommand(ForkedProcess):
    """A process whose output is read as it comes: `stdout` and `stderr` are text."""

    def __init__(self, connection: socket.socket, pid: int, stdout: TextIO, stderr: TextIO) -> None:
        super().__init__(connection, pid)
        self.stdout = stdout
        self.stderr = stderr

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits for its end; what it has printed and nobody has read.

        Raises:
            subprocess.TimeoutExpired: it runs on.
        """
        printed = ["", ""]

        def read(number: int, stream: TextIO) -> None:
            printed[number] = stream.read()

        threads = [
            threading.Thread(target=read, args=(number, stream), daemon=True)
            for number, stream in enumerate((self.stdout, self.stderr))
        ]
        for thread in threads:
            thread.start()
        self.wait(timeout)
        for thread in threads:
            thread.join()
        self.stdout.close()
        self.stderr.close()
        return printed[0], printed[1]


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
        with stdout.open("ab") as out, stderr.open("ab") as err:
            process = ForkedProcess(*self._begin(request, out.fileno(), err.fileno()))
        started(process.pid)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise subprocess.TimeoutExpired(self._worker.name, timeout or 0) from error

    def start(self, request: Mapping[str, Any], output: Path) -> ForkedProcess:
        """Begins a request, whose output is appended to a file."""
        with output.open("ab") as file:
            return ForkedProcess(*self._begin(request, file.fileno(), file.fileno()))

    def start_with_pipe(self, request: Mapping[str, Any]) -> tuple[ForkedProcess, BinaryIO]:
        """Begins a request, and returns the end of the pipe that it prints to."""
        out, into = os.pipe()
        try:
            process = ForkedProcess(*self._begin(request, into, into))
        except BaseException:
            os.close(out)
            raise
        finally:
            os.close(into)
        return process, os.fdopen(out, "rb")

    def start_command(self, request: Mapping[str, Any]) -> ForkedCommand:
        """Begins a request, whose output is read from pipes."""
        pipes = [os.pipe(), os.pipe()]
        try:
            connection, pid = self._begin(request, *(into for _, into in pipes))
        finally:
            for _, into in pipes:
                os.close(into)
        stdout, stderr = (os.fdopen(out, encoding="utf-8", errors="replace") for out, _ in pipes)
        return ForkedCommand(connection, pid, stdout, stderr)

    def _begin(self, request: Mapping[str, Any], stdout: int, stderr: int) -> tuple[socket.socket, int]:
        """The connection on which the end is reported, and the process's id."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(self._socket))
            # An empty message would carry no descriptors.
            socket.send_fds(connection, [b"\n"], [stdout, stderr])
            connection.sendall(f"{json.dumps(request)}\n".encode())
            answer = _read_line(connection)
        except OSError:
            connection.close()
            raise
        if not answer:
            connection.close()
            raise ForkServerDied(f"the server of {self._worker.name} has ended")
        return connection, int(json.loads(answer)["pid"])

    def stop(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _read_line(connection: socket.socket) -> bytes:
    """A line, and nothing of what follows it; empty where the other end has closed the connection."""
    with connection.makefile("rb", buffering=0) as stream:
        return stream.readline()
