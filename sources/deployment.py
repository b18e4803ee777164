"""An Airflow deployment as the engine sees it: an installation, a database, a Fernet key; and the engine's command."""

from __future__ import annotations

import atexit
import base64
import json
import pickle
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
from psycopg2 import sql

from local.installations import fork_server
from local.installations.airflow_installation import AirflowInstallation
from local.installations.folders import ROOT
from local.installations.fork_server import ForkedCommand, ForkedProcess, ForkServer
from local.installations.postgres import PostgresServer
from sources.source import XCom

#: The table's content as a number that does not depend on the rows' order, and what keeps it whole.
_TABLES = """
    select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by 1
"""
_ROWS = "select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from public.{} t"
_DEFINITIONS = """
    select 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), convalidated
      from pg_constraint where connamespace = 'public'::regnamespace
    union all select 'index', tablename, indexname, indexdef, true from pg_indexes where schemaname = 'public'
    order by 1, 2, 3
"""


#: A command that runs: of a new interpreter, or of one that had imported Airflow.
Command = subprocess.Popen[str] | ForkedCommand

#: Options that a process which has imported Airflow cannot take on.
_READ_ON_IMPORT = {"database__sql_alchemy_conn", "database__sql_alchemy_schema"}
_IN_AIRFLOW = Path(__file__).parent / "in_airflow.py"
_AIRFLOW_MODULE = Path(fork_server.__file__).parent / "shim" / "airflow_module.py"
_fork_servers: dict[tuple[AirflowInstallation, Path, frozenset[tuple[str, str]]], ForkServer] = {}


class Outcome(NamedTuple):
    """How a command ended. ``result`` is what --json printed."""

    code: int
    result: dict[str, Any]
    stderr: str

    @property
    def error(self) -> str | None:
        """The error's name; None where there is none."""
        error = self.result["error"]
        return error and str(error["name"])

    @property
    def message(self) -> str:
        return str(self.result["error"]["message"])


@dataclass(frozen=True)
class Deployment:
    installation: AirflowInstallation
    server: PostgresServer
    database: str
    home: Path
    fernet_key: str
    user: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def having(self, **changes: Any) -> Deployment:
        """The same deployment with another key, user or configuration."""
        return replace(self, **changes)

    @property
    def dsn(self) -> str:
        return self.server.dsn(self.database)

    def environment(self) -> dict[str, str]:
        environment = self.installation.environment(
            self.home,
            self.server.url(self.database, self.user),
            **{"core__fernet_key": self.fernet_key, **self.options},
        )
        return {**environment, "PYTHONPATH": str(ROOT / "dags")}

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Command:
        """The engine's command, running.

        It and its children are forks of a process that has imported this Airflow. With `environment`, variables that
        are added to the deployment's own, they are new interpreters.
        """
        if environment is None and not _READ_ON_IMPORT & set(self.options):
            return self.fork(*arguments, "--json", module="mwaa_migrator")
        return subprocess.Popen(
            [str(self.installation.python), "-m", "mwaa_migrator", *arguments, "--json"],
            env={**self.environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def fork(self, *arguments: str, **program: str) -> ForkedCommand:
        """A program, running in a fork of a process that has imported this Airflow.

        Args:
            program: `module` or `file`, as for `python -m` or `python`.
        """
        request = {"arguments": arguments, "environment": self.environment(), **program}
        return self._fork_server().start_command(request)

    def fork_with_log(
        self, file: Path, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> ForkedProcess:
        """A Python file, running in such a fork. `environment` is added to the deployment's own variables."""
        request = {
            "arguments": arguments,
            "environment": {**self.environment(), **environment},
            "file": str(file),
        }
        return self._fork_server().start(request, log)

    def program(self, *arguments: str, **program: str) -> str:
        """What a program printed, whose exit code must be 0; see `fork`."""
        process = self.fork(*arguments, **program)
        stdout, stderr = process.communicate(timeout=180)
        assert process.returncode == 0, stderr[-5000:]
        return stdout

    def _fork_server(self) -> ForkServer:
        """A process that has imported this Airflow with this configuration, but for the database and the key."""
        key = (self.installation, self.home, frozenset(self.options.items()))
        if key not in _fork_servers:
            self.home.mkdir(parents=True, exist_ok=True)
            server = ForkServer(
                self.installation.python, _AIRFLOW_MODULE, self.environment(), self.home, self.home / "fork_server.log"
            )
            atexit.register(server.stop)
            _fork_servers[key] = server
        _fork_servers[key].wait()
        return _fork_servers[key]

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Outcome:
        return outcome(self.start(*arguments, environment=environment))

    def succeed(self, *arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The command's result; it must end with 0."""
        done = self.run(*arguments, environment=environment)
        assert done.code == 0, done.stderr[-1000:]
        return done.result

    def python(self, script: str) -> Any:
        """What a script prints, as JSON, with this Airflow imported: Airflow's own view of its database."""
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write(script)
            file.flush()
            return json.loads(self.program(file=file.name).strip().splitlines()[-1])

    def xcoms(self, dag_id: str, run_id: str) -> dict[XCom, Any]:
        """A run's XComs, as Airflow's own API reads them, with the sources' DAGs in the deployment's DAG folder."""
        printed = self.program("xcoms", dag_id, run_id, file=str(_IN_AIRFLOW))
        values = pickle.loads(base64.b64decode(printed.splitlines()[-1]))
        return {XCom(*key): value for key, value in values.items()}

    def new_python(self, script: str) -> Any:
        """The same by a new interpreter, which has imported nothing yet."""
        done = subprocess.run(
            [str(self.installation.python), "-W", "ignore", "-c", script],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    def rows(self, query: str | sql.Composable, parameters: Any = None) -> list[tuple[Any, ...]]:
        with self.cursor() as cursor:
            cursor.execute(query, parameters)
            return cursor.fetchall()

    def value(self, query: str | sql.Composable, parameters: Any = None) -> Any:
        return self.rows(query, parameters)[0][0]

    def execute(self, statements: str, parameters: Any = None) -> None:
        with self.cursor() as cursor:
            cursor.execute(statements, parameters)

    @contextmanager
    def cursor(self) -> Iterator[psycopg2.extensions.cursor]:
        """One transaction, committed at the end."""
        with closing(psycopg2.connect(self.dsn)) as connection, connection, connection.cursor() as cursor:
            yield cursor

    def content(self) -> dict[str, Any]:
        """Everything in Airflow's schema: rows and checksum of each table, constraints and indexes."""
        with self.cursor() as cursor:
            cursor.execute("set timezone to 'UTC'")
            cursor.execute(_TABLES)
            content: dict[str, Any] = {}
            for (table,) in cursor.fetchall():
                cursor.execute(sql.SQL(_ROWS).format(sql.Identifier(table)))
                content[table] = cursor.fetchone()
            cursor.execute(_DEFINITIONS)
            content["definitions"] = cursor.fetchall()
            return content

    def counts(self) -> dict[str, int]:
        content = self.content()
        del content["definitions"]
        return {table: rows for table, (rows, _) in content.items()}

    def scratch_schemas(self) -> list[str]:
        query = "select nspname::text from pg_namespace where starts_with(nspname, 'mwaa_migrator_')"
        return [name for (name,) in self.rows(query)]


def outcome(process: Command) -> Outcome:
    """Waits for the command's end."""
    try:
        stdout, stderr = process.communicate(timeout=180)
    finally:
        process.kill()
    assert stdout, stderr[-2000:]
    return Outcome(process.wait(), json.loads(stdout.splitlines()[-1]), stderr)
