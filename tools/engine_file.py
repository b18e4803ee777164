"""Makes the engine as one file, build/mwaa_migrator.pyz: `make engine`.

Any Airflow's Python runs it as it is, `python mwaa_migrator.pyz check`; a folder of modules would have to get on its
path first. The same modules give the same bytes.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from tools import packages

ROOT = Path(__file__).resolve().parent.parent
ENGINE = Path("build", "mwaa_migrator.pyz")


def build(file: Path = ROOT / ENGINE) -> Path:
    """Writes the file, an archive that Python runs (https://docs.python.org/3/library/zipapp.html)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # Without the comment that packages have: Python 3.7 does not take a file with one for an archive.
    with zipfile.ZipFile(file, "w") as archive:
        packages.add(archive, contents(ROOT / "dags"))
    return file


def contents(dags: Path) -> packages.Contents:
    """The engine's package, and what Python runs of an archive, which is what it runs of the package."""
    modules = sorted([*(dags / "mwaa_migrator").rglob("*.py"), *(dags / "mwaa_migrator").rglob("*.json.gz")])
    return {
        "__main__.py": dags / "mwaa_migrator" / "__main__.py",
        **{str(module.relative_to(dags)): module for module in modules},
    }


if __name__ == "__main__":
    made = build()
    sys.stdout.write(f"{made.relative_to(ROOT)}: {made.stat().st_size / 1e6:.2f} MB\n")
