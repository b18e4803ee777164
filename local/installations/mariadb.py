"""A MariaDB server with its data in a directory of its own, from Debian's package mariadb-server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from local.installations import ports

_SERVER, _INSTALL, _CLIENT, _DUMP = "mariadbd", "mariadb-install-db", "mariadb", "mariadb-dump"
_SECONDS_TO_START = 60


class MariaDBError(Exception):
    """A program of MariaDB's failed; the message has what it printed last."""


def installed() -> bool:
    return all(_path(program) for program in (_SERVER, _INSTALL, _CLIENT, _DUMP))


def _path(program: str) -> str | None:
    # Debian keeps the server where an ordinary user's PATH does not lead.
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


class MariaDBServer:
    """Use it as a context manager. It listens on a free port of 127.0.0.1, and `airflow` may do everything there.

    Args:
        settings: options of the server, {"max_allowed_packet": "1M"}.
    """

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory.resolve()
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_directory: Path | None = None
        self.port = 0

    def __enter__(self) -> MariaDBServer:
        self.directory.mkdir(parents=True, exist_ok=True)
        # A socket's path has at most 107 bytes.
        self._socket_directory = Path(tempfile.mkdtemp(prefix="mariadb-"))
        common = ["--no-defaults", f"--datadir={self.directory / 'data'}"]
        if os.geteuid() == 0:
            common.append("--user=root")
        self._run(_INSTALL, *common, "--auth-root-authentication-method=normal", "--skip-test-db")
        self.port = ports.free_port()
        options = {
            "port": str(self.port),
            "bind-address": "127.0.0.1",
            "socket": str(self._socket_directory / "socket"),
            "pid-file": str(self.directory / "server.pid"),
            "skip-name-resolve": "1",
            "innodb-flush-log-at-trx-commit": "0",
            **self._settings,
        }
        with (self.directory / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(_path(_SERVER)), *common, *(f"--{name}={value}" for name, value in options.items())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait()
        self.execute("create user airflow@'127.0.0.1'; grant all on *.* to airflow@'127.0.0.1' with grant option")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
        if self._socket_directory is not None:
            shutil.rmtree(self._socket_directory, ignore_errors=True)

    def url(self, database: str, user: str = "airflow") -> str:
        """As SQLAlchemy and Airflow's sql_alchemy_conn want it."""
        return f"mysql+pymysql://{user}@127.0.0.1:{self.port}/{quote(database)}?charset=utf8mb4"

    def execute(self, statements: str, database: str = "") -> str:
        """What the client printed, values without a heading and with tabs between them."""
        return self._run(
            _CLIENT, "--no-defaults", f"--socket={self._socket_directory}/socket", "--user=root", "--batch",
            "--skip-column-names", *([database] if database else []), f"--execute={statements}",
        )  # fmt: skip

    def create_database(self, name: str) -> None:
        """As Airflow's documentation says."""
        self.execute(f"create database `{name}` character set utf8mb4 collate utf8mb4_unicode_ci")

    def copy_database(self, template: str, name: str) -> None:
        """A database with the same tables and rows."""
        self.create_database(name)
        login = ["--no-defaults", f"--socket={self._socket_directory}/socket", "--user=root"]
        dump = subprocess.Popen([str(_path(_DUMP)), *login, template], stdout=subprocess.PIPE)
        subprocess.run([str(_path(_CLIENT)), *login, name], stdin=dump.stdout, check=True)
        if dump.wait() != 0:
            raise MariaDBError(f"{_DUMP} of {template} failed")

    def _wait(self) -> None:
        end = time.monotonic() + _SECONDS_TO_START
        while True:
            try:
                self.execute("select 1")
            except MariaDBError:
                if time.monotonic() > end or self._process is None or self._process.poll() is not None:
                    raise MariaDBError((self.directory / "server.log").read_text(errors="replace")[-2000:]) from None
                time.sleep(0.2)
            else:
                return

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(_path(program)), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise MariaDBError(f"{program} failed: {(done.stdout + done.stderr)[-2000:]}")
        return done.stdout
