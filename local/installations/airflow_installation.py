"""Airflow installations: a virtual environment for each version, made by uv from committed lock files.

`python -m local.installations.airflow_installation install 2.10.3 ...` makes installations; `lock [version ...]` writes
`requirements/airflow/<version>.txt` from `requirements/airflow/versions.toml`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.installations import interpreters, uv
from local.installations.folders import BUILD, ROOT

REQUIREMENTS = ROOT / "requirements" / "airflow"
INSTALLATIONS = BUILD / "airflow"


class UnknownAirflowVersion(Exception):
    """There is no lock file for that version."""


class AirflowCommandFailed(Exception):
    """An airflow command ended with an exit code other than 0; the message ends with its output."""


@dataclass(frozen=True)
class AirflowInstallation:
    """One Airflow version in a virtual environment of its own.

    It has no state: databases, logs and configuration are those of the variables that `environment` makes.
    """

    version: str
    directory: Path

    @property
    def python(self) -> Path:
        return self.directory / "bin" / "python"

    @property
    def airflow(self) -> Path:
        """The `airflow` command."""
        return self.directory / "bin" / "airflow"

    @property
    def release(self) -> tuple[int, ...]:
        """The version for comparisons: (2, 10, 3)."""
        return tuple(int(part) for part in self.version.split("."))

    @property
    def connection_variable(self) -> str:
        """The environment variable with the URL of the metadata database."""
        section = "DATABASE" if self.release >= (2, 3) else "CORE"
        return f"AIRFLOW__{section}__SQL_ALCHEMY_CONN"

    def environment(self, home: Path, sql_alchemy_conn: str, **config: str) -> dict[str, str]:
        """The environment variables of every process of one Airflow deployment.

        Args:
            home: AIRFLOW_HOME; DAGs are read from `home/dags`, logs go to `home/logs`.
            sql_alchemy_conn: the URL of the metadata database.
            config: further options, as section__option: `core__fernet_key="..."`. They replace the defaults here:
                LocalExecutor, no example DAGs, no default connections, new DAGs unpaused, no usage data.

        The current process's own variables are passed on (PATH, AWS credentials and endpoint), but not those of Airflow
        and Python.
        """
        since_2_3 = "database" if self.release >= (2, 3) else "core"
        options = {
            f"{since_2_3}__load_default_connections": "False",
            "core__dags_folder": str(home / "dags"),
            "core__executor": "LocalExecutor",
            "core__load_examples": "False",
            "core__dags_are_paused_at_creation": "False",
            "core__unit_test_mode": "False",
            "usage_data_collection__enabled": "False",
            **config,
        }
        passed_on = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "PYTHON")) and name != "VIRTUAL_ENV"
        }
        return {
            **passed_on,
            # Executors start `airflow` by its name.
            "PATH": f"{self.directory / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "AIRFLOW_HOME": str(home),
            self.connection_variable: sql_alchemy_conn,
            **{f"AIRFLOW__{name.upper()}": value for name, value in options.items()},
        }

    def run(self, *arguments: str, env: Mapping[str, str], timeout: float = 300) -> str:
        """Runs an airflow command to its end and returns its standard output.

        Raises:
            AirflowCommandFailed: its exit code is not 0.
            subprocess.TimeoutExpired: it took more than `timeout` seconds.
        """
        done = subprocess.run(
            [str(self.airflow), *arguments],
            env=dict(env),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode != 0:
            printed = f"{done.stdout}\n{done.stderr}".strip()
            raise AirflowCommandFailed(
                f"`airflow {' '.join(arguments)}` of Airflow {self.version} ended with {done.returncode}:\n{printed}"
            )
        return done.stdout

    def migrate_database(self, env: Mapping[str, str]) -> None:
        """Migrates the metadata database to this version's head; makes its tables where there are none.

        Raises:
            AirflowCommandFailed: the migrations failed.
        """
        self.run(*self.migration_command, env=env)

    @property
    def migration_command(self) -> list[str]:
        """The arguments with which `airflow` migrates the metadata database."""
        if self.release < (2,):
            return ["upgradedb"]
        return ["db", "migrate"] if self.release >= (2, 7) else ["db", "upgrade"]


def versions() -> list[str]:
    """Every version that can be installed, oldest first."""
    return sorted(_recipes(), key=lambda version: [int(part) for part in version.split(".")])


def install(version: str) -> AirflowInstallation:
    """Installs a version, unless it is there, whole and made from its lock file.

    Several processes may want the same version at once: one makes it, the others wait.

    Raises:
        UnknownAirflowVersion: there is no lock file for it.
        local.installations.interpreters.InterpreterNotFound: its Python is not here and could not be downloaded.
        local.installations.uv.InstallationFailed: uv failed.
    """
    lock = lock_file(version)
    if version not in _recipes() or not lock.is_file():
        raise UnknownAirflowVersion(
            f"Airflow {version} is not among the versions that can be installed here ({', '.join(versions())}); "
            f"add it to {(REQUIREMENTS / 'versions.toml').relative_to(ROOT)} and run `make lock`"
        )
    recipe = _recipes()[version]
    directory = INSTALLATIONS / version
    with tempfile.TemporaryDirectory() as temporary:
        build_constraints = Path(temporary, "build-constraints.txt")
        build_constraints.write_text("\n".join(recipe.get("build", [])))
        uv.make_environment(
            directory,
            recipe["python"],
            lock,
            # The lock is complete, and 1.10.12's own metadata cannot be read.
            "--no-deps",
            "--build-constraints",
            str(build_constraints),
        )
    return AirflowInstallation(version, directory)


def lock(version: str) -> None:
    """Resolves a version's requirements and writes its lock file.

    Raises:
        UnknownAirflowVersion: versions.toml does not have it.
        local.installations.uv.InstallationFailed: nothing fits its requirements.
    """
    recipes = _recipes()
    if version not in recipes:
        raise UnknownAirflowVersion(f"Airflow {version} is not in {REQUIREMENTS / 'versions.toml'}")
    recipe = recipes[version]
    resolved = recipe.get("resolve", version)
    wanted = [f"apache-airflow[{','.join(recipe['extras'])}]=={resolved}", *recipe.get("with", [])]
    locked = _compile(wanted, recipe)
    if resolved != version:
        own = _compile([f"apache-airflow=={version}"], recipe, "--no-deps")
        locked = locked.replace(_requirement(locked, "apache-airflow"), _requirement(own, "apache-airflow"))
    lock_file(version).write_text(
        f"# Airflow {version} for Python {recipe['python']}, written by `make lock`.\n{locked}"
    )


def _compile(requirements: list[str], recipe: Mapping[str, Any], *options: str) -> str:
    with tempfile.TemporaryDirectory() as directory:
        wanted = Path(directory, "requirements.in")
        wanted.write_text("\n".join(requirements))
        locked = Path(directory, "requirements.txt")
        uv.run(
            "pip",
            "compile",
            "--quiet",
            "--generate-hashes",
            "--no-emit-index-url",
            "--no-header",
            "--no-annotate",
            "--python",
            str(interpreters.find_or_download(recipe["python"])),
            "--exclude-newer",
            recipe["before"],
            *options,
            str(wanted),
            "--output-file",
            str(locked),
        )
        return locked.read_text()


def _requirement(locked: str, name: str) -> str:
    """The lines of one package in a lock file, its hashes included."""
    found = re.search(rf"^{re.escape(name)}==(?:.*\\\n)*.*\n", locked, re.MULTILINE)
    if found is None:
        raise uv.InstallationFailed(f"the resolution has no {name}")
    return found.group()


def _recipes() -> dict[str, dict[str, Any]]:
    return tomllib.loads((REQUIREMENTS / "versions.toml").read_text())


def lock_file(version: str) -> Path:
    """The lock file from which a version is installed."""
    return REQUIREMENTS / f"{version}.txt"


def _main(arguments: list[str]) -> None:
    command, *chosen = arguments
    for version in chosen or versions():
        if command == "install":
            sys.stdout.write(f"{install(version).directory}\n")
        else:
            lock(version)
            sys.stdout.write(f"{lock_file(version)}\n")


if __name__ == "__main__":
    _main(sys.argv[1:])
