"""What a rehearsal is asked for, by the variables of `make rehearsal`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.installations import airflow_installation
from local.installations.folders import BUILD
from local.mwaa.database_access import NONE, TOKEN, WORKER_DATABASE, WORKER_DATABASES
from migration.airflow import path, ways_in

SOURCE_NAME = "rehearsal-source"
#: Of a migration; a rehearsal's target is given a name of its own.
TARGET_NAME = "rehearsal-target"

_MODES = ("migrate", "rehearse")


class InvalidSettings(Exception):
    """Variables of the rehearsal have values that cannot be used; the message names them all."""


@dataclass(frozen=True)
class Settings:
    """
    Attributes:
        source: an Airflow version, as is `target`.
        dags: a folder of the user's own DAGs; None for the demo's.
        path: the input's options.path.
        way_in: the input's options.wayIn.
        worker_database: how workers of Airflow 3 reach their database, which the local AWS reads for itself.
        seed_sql: a file of SQL that is run in the source's database.
        out: the folder for the report and the logs.
        keep: whether the local AWS runs on afterwards.
    """

    source: str = "2.10.3"
    target: str = "3.2.1"
    path: str = path.AUTO
    way_in: str = ways_in.AUTO
    worker_database: str = TOKEN
    dags: Path | None = None
    seed_sql: Path | None = None
    out: Path = BUILD / "rehearsal"
    keep: bool = False
    mode: str = "rehearse"

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> Settings:
        """Empty variables count as missing."""
        given = {name: value for name, value in variables.items() if value}
        return cls(
            source=given.get("SOURCE", cls.source),
            target=given.get("TARGET", cls.target),
            path=given.get("PATH_TO_3", cls.path),
            way_in=given.get("WAY_IN", cls.way_in),
            worker_database=given.get(WORKER_DATABASE, cls.worker_database),
            dags=Path(given["DAGS"]).resolve() if "DAGS" in given else None,
            seed_sql=Path(given["SEED_SQL"]).resolve() if "SEED_SQL" in given else None,
            out=Path(given["OUT"]).resolve() if "OUT" in given else cls.out,
            keep=given.get("KEEP", "0") not in ("0", "no", "false"),
            mode=given.get("MODE", cls.mode),
        )

    def check(self) -> None:
        """
        Raises:
            InvalidSettings: with everything that is wrong.
        """
        known = airflow_installation.versions()
        problems = [
            f"{name} is {version}, which is not one of {', '.join(known)}"
            for name, version in (("SOURCE", self.source), ("TARGET", self.target))
            if version not in known
        ]
        if self.path not in path.WAYS:
            problems.append(f"PATH_TO_3 is {self.path}; it must be {' or '.join(path.WAYS)}")
        elif self.path == path.THROUGH and path.is_at_airflow_3(self.source):
            problems.append(f"PATH_TO_3 is {self.path}, and SOURCE is {self.source}, which is after 2.11")
        if self.way_in not in ways_in.WAYS_IN:
            problems.append(f"WAY_IN is {self.way_in}; it must be {' or '.join(ways_in.WAYS_IN)}")
        if self.worker_database not in WORKER_DATABASES:
            problems.append(f"{WORKER_DATABASE} is {self.worker_database}; it must be {' or '.join(WORKER_DATABASES)}")
        if self.dags is not None and not self.dags.is_dir():
            problems.append(f"DAGS is {self.dags}, which is not a folder")
        if self.seed_sql is not None and not self.seed_sql.is_file():
            problems.append(f"SEED_SQL is {self.seed_sql}, which is not a file")
        if self.mode not in _MODES:
            problems.append(f"MODE is {self.mode}; it must be {' or '.join(_MODES)}")
        if problems:
            raise InvalidSettings("; ".join(problems))

    def target_versions(self) -> set[str]:
        """The versions that the target has on its way, also if it has to take the other one."""
        latest_2_11 = [v for v in airflow_installation.versions() if v.startswith("2.11.")][-1]
        is_shut = self.worker_database == NONE and self.way_in == ways_in.WORKER
        falls_back = self.path == path.AUTO and is_shut and not path.is_at_airflow_3(self.source)
        ways = {self.path, path.THROUGH} if falls_back else {self.path}
        return {version for way in ways for version in path.of(self.source, self.target, way, latest_2_11)[1:]}
