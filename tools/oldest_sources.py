"""Makes `functions/migration/airflow/oldest_sources.json` from Airflow's own migrations: `make generate`.

A database goes directly to an Airflow 3 that knows its revision. The oldest such release is that of the first migration
which Airflow 3 shares with 2.11. What Airflow 3 puts in front of it does not count: 3.2's first, "2.6.2", has an id
that no Airflow 2 ever gave a database.
"""

from __future__ import annotations

import json
import subprocess
import sys

from local.installations import airflow_installation
from local.installations.folders import ROOT
from tools.airflow_options import RELEASES_3

FILE = ROOT / "functions" / "migration" / "airflow" / "oldest_sources.json"
LAST_OF_2 = "2.11.2"

# The migrations are read as text, so that Airflow itself, whose import takes seconds, need not be there.
_ASK = """
import importlib.util, json, sys, types
sys.modules["airflow"] = types.SimpleNamespace(__file__=importlib.util.find_spec("airflow").origin)
from mwaa_migrator.this_airflow.migrations import known_revisions
print(json.dumps(known_revisions()))
"""


def ask(version: str) -> dict[str, tuple[list[str], str | None]]:
    """The revisions of an installed Airflow's migrations: those that each follows, and its release."""
    installation = airflow_installation.install(version)
    command = [str(installation.python), "-c", _ASK]
    dags = {"PYTHONPATH": str(ROOT / "dags")}
    found: dict[str, tuple[list[str], str | None]] = json.loads(
        subprocess.run(command, env=dags, capture_output=True, text=True, check=True).stdout
    )
    return found


def oldest(version: str) -> str:
    """The release of the first migration that an Airflow 3 shares with 2.11."""
    of_2, of_3 = ask(LAST_OF_2), ask(version)
    shared = of_2.keys() & of_3.keys()
    first = [release for revision, (follows, release) in of_3.items() if revision in shared and not {*follows} & shared]
    (release,) = first
    if release is None:
        raise ValueError(f"the first migration of {version} does not say with which release it came")
    return release


def make() -> dict[str, str]:
    """The file's content."""
    return {version: oldest(version) for version in RELEASES_3}


def main() -> None:
    FILE.write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{FILE.name}: {', '.join(RELEASES_3)}\n")


if __name__ == "__main__":
    main()
