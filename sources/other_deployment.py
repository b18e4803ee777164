"""An Airflow whose metadata database is not PostgreSQL, with the rows of one whose database is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.installations.folders import ROOT
from sources.deployment import Command, Deployment

_COPY_ROWS = Path(__file__).parent / "copy_rows.py"
_NO_DRIVER = "raise ImportError('this Airflow has no driver of PostgreSQL')\n"


@dataclass(frozen=True)
class OtherDeployment(Deployment):
    """`url` is SQLAlchemy's. `no_postgres` comes first on the engine's path: psycopg2 cannot be imported there."""

    url: str = ""
    no_postgres: Path = Path()
    driver: Path | None = None

    def environment(self) -> dict[str, str]:
        environment = self.installation.environment(
            self.home,
            self.url,
            **{"core__fernet_key": self.fernet_key, "core__executor": "SequentialExecutor", **self.options},
        )
        return {**environment, "PYTHONPATH": self._path(self.no_postgres, self.driver, ROOT / "dags")}

    @staticmethod
    def _path(*folders: Path | None) -> str:
        return os.pathsep.join(str(folder) for folder in folders if folder is not None)

    def airflows_environment(self) -> dict[str, str]:
        """That of Airflow itself, which knows nothing of the engine."""
        return {**self.environment(), "PYTHONPATH": self._path(self.driver)}

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Command:
        return super().start(*arguments, environment=environment or {})

    def run_script(self, *arguments: str) -> None:
        """A Python file of the sources', by this Airflow's Python, with psycopg2."""
        done = subprocess.run(
            [str(self.installation.python), "-W", "ignore", *arguments],
            env=self.airflows_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]


def with_rows_of(source: Deployment, url: str, folder: Path, driver: Path | None = None) -> OtherDeployment:
    """Airflow makes its tables in the database at `url`, and they get the rows of `source`.

    Args:
        driver: a folder with the URL's driver, if the installation has none.
    """
    without = folder / "without_postgres"
    without.mkdir(exist_ok=True)
    (without / "psycopg2.py").write_text(_NO_DRIVER)
    other = OtherDeployment(
        source.installation,
        source.server,
        source.database,
        source.home,
        source.fernet_key,
        url=url,
        no_postgres=without,
        driver=driver,
    )
    other.installation.migrate_database(other.airflows_environment())
    other.run_script(str(_COPY_ROWS), source.dsn)
    return other
