"""Parses and runs DAGs in a real Airflow: one process inside the installation, which is asked in JSON."""

from __future__ import annotations

import json
import select
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.installations import airflow_installation
from local.installations.airflow_installation import AirflowInstallation
from local.installations.postgres import PostgresServer

_SCRIPT = Path(__file__).with_name("in_airflow.py")
_PATIENCE = 300  # seconds for one answer


@dataclass
class Deployment:
    """One Airflow with a database and a DAGs folder of its own, for runs in the foreground."""

    installation: AirflowInstallation
    home: Path
    database: str
    _process: subprocess.Popen[str] | None = field(default=None, init=False)

    @property
    def dags(self) -> Path:
        return self.home / "dags"

    @property
    def log(self) -> Path:
        """What Airflow has printed."""
        return self.home / "output.log"

    def environment(self) -> dict[str, str]:
        return self.installation.environment(self.home, self.database, core__executor="SequentialExecutor")

    def parse(self, folder: Path) -> dict[str, Any]:
        """The tasks of each DAG in a folder by DAG id (`dags`), and the import errors by file (`errors`)."""
        return self._ask("parse", folder=str(folder))

    def run(
        self, dag_id: str, logical_date: str, environment: Mapping[str, str], params: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Runs a DAG of the DAGs folder to its end: its `state`, and its `tasks`' states."""
        return self._ask(
            "run",
            folder=str(self.dags / dag_id),
            dag_id=dag_id,
            logical_date=logical_date,
            conf=dict(params or {}),
            environment=dict(environment),
        )

    def store(self, dag_id: str) -> None:
        """Puts a DAG of the DAGs folder into the database, active, for a scheduler."""
        self._ask("store", folder=str(self.dags / dag_id))

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        said = self.log.stat().st_size
        line = ""
        try:
            process.stdin.write(json.dumps({"what": what, **arguments}) + "\n")
            process.stdin.flush()
            if select.select([process.stdout], [], [], _PATIENCE)[0]:
                line = process.stdout.readline()
        finally:
            if not line:
                # It must not give this answer to the next request.
                self.stop()
        answer: dict[str, Any] = json.loads(line) if line else {"failed": f"it ended, or was silent for {_PATIENCE} s"}
        assert "failed" not in answer, f"{answer['failed']}\n{self._printed(said)}"
        return answer

    def _printed(self, since: int) -> str:
        with self.log.open(errors="replace") as file:
            file.seek(since)
            return file.read()[-8000:]

    def _start(self) -> subprocess.Popen[str]:
        with self.log.open("a") as log:
            return subprocess.Popen(
                [str(self.installation.python), str(_SCRIPT)],
                env=self.environment(),
                cwd=self.home,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )


@contextmanager
def deployed(version: str, home: Path, postgres: PostgresServer) -> Iterator[Deployment]:
    """An Airflow of a version, with a new database on a server and a folder of its own."""
    installation = airflow_installation.install(version)
    database = home.name
    postgres.create_database(database)
    found = Deployment(installation, home, postgres.url(database))
    found.dags.mkdir(parents=True)
    installation.migrate_database(found.environment())
    try:
        yield found
    finally:
        found.stop()
