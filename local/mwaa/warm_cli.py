"""The client's side of shim/warm_cli.py: airflow commands that need not import Airflow first."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

_SERVER = Path(__file__).parent / "shim" / "warm_cli.py"


class WarmCli:
    """A process of one environment that runs its commands. It starts in the background."""

    def __init__(self, python: Path, environment: Mapping[str, str], home: Path, log: Path) -> None:
        # A Unix socket's path has at most 107 bytes, which a build directory easily exceeds.
        self._folder = Path(tempfile.mkdtemp(prefix="cli-"))
        self._socket = self._folder / "socket"
        self._home = home
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(python), str(_SERVER), str(self._socket)],
                env=dict(environment),
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def is_ready(self) -> bool:
        return self._socket.exists() and self._process.poll() is None

    def run(self, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]:
        """
        Raises:
            subprocess.TimeoutExpired: it was killed after `timeout` seconds.
        """
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            out, err = Path(folder, "stdout"), Path(folder, "stderr")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(timeout)
                connection.connect(str(self._socket))
                stream = connection.makefile("rw")
                child = None
                try:
                    stream.write(json.dumps({"arguments": arguments, "stdout": str(out), "stderr": str(err)}) + "\n")
                    stream.flush()
                    child = json.loads(stream.readline())["pid"]
                    returncode = json.loads(stream.readline())["returncode"]
                except TimeoutError as error:
                    if child is not None:
                        with contextlib.suppress(ProcessLookupError):
                            os.killpg(child, signal.SIGKILL)
                    raise subprocess.TimeoutExpired(["airflow", *arguments], timeout) from error
            printed = [file.read_bytes() if file.exists() else b"" for file in (out, err)]
        return subprocess.CompletedProcess(["airflow", *arguments], returncode, *printed)

    def stop(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
