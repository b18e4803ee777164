"""Makes `functions/migration/airflow/oldest_sources.json` from Airflow's own migrations: `make generate`.

Each Airflow 3 that Amazon MWAA offers is asked, by the engine's own reading of its migrations, which release they begin
at. A database of an older one cannot be upgraded by them, so it does not go there directly.
"""

from __future__ import annotations

import json
import subprocess
import sys

from local.installations import airflow_installation
from local.installations.folders import ROOT
from tools.airflow_options import RELEASES_3

FILE = ROOT / "functions" / "migration" / "airflow" / "oldest_sources.json"

# The migrations are read as text, so that Airflow itself, whose import takes seconds, need not be there.
_ASK = """
import importlib.util, sys, types
sys.modules["airflow"] = types.SimpleNamespace(__file__=importlib.util.find_spec("airflow").origin)
from mwaa_migrator.this_airflow.migrations import first_version
print(first_version())
"""


def ask(version: str) -> str:
    """The release that an installed Airflow's migrations begin at."""
    installation = airflow_installation.install(version)
    command = [str(installation.python), "-c", _ASK]
    dags = {"PYTHONPATH": str(ROOT / "dags")}
    return subprocess.run(command, env=dags, capture_output=True, text=True, check=True).stdout.strip()


def make() -> dict[str, str]:
    """The file's content."""
    return {version: ask(version) for version in RELEASES_3}


def main() -> None:
    FILE.write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{FILE.name}: {', '.join(RELEASES_3)}\n")


if __name__ == "__main__":
    main()
