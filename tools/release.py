"""Makes what a release is, into build/release/: `make release`. The same commit gives the same bytes.

| file | what it is |
| --- | --- |
| `mwaa_migrator-VERSION-py3-none-any.whl` | the command line, for `pip install` |
| `mwaa-migrator-VERSION.zip` | the application: unpacked, `sam deploy`, `sam package` and `sam publish` take it |
| `mwaa_migrator.pyz` | the engine, for an Airflow outside Amazon MWAA |
| `mwaa-migrator-VERSION.cdx.json` | the bill of materials of its packages |
| `SHA256SUMS` | the others' SHA-256, for `sha256sum --check` |
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tools import bill_of_materials, engine_file, packages
from tools.template import template

ROOT = Path(__file__).parent.parent
RELEASE = ROOT / "build" / "release"
#: The properties of a template that name local files, which SAM uploads.
_UPLOADED = ("CodeUri", "ContentUri", "DefinitionUri", "LicenseUrl", "ReadmeUrl")


def make(into: Path = RELEASE) -> list[Path]:
    """Makes the files of a release in an empty folder, and returns them.

    Raises:
        tools.packages.PackagingFailed
        subprocess.CalledProcessError: the wheel could not be built, or this is no clone of the repository.
    """
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    name = f"mwaa-migrator-{version()}"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(into)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    built = packages.build()
    packages.write(into / f"{name}.zip", {f"{name}/{file}": ROOT / file for file in application()})
    engine_file.build(into / engine_file.ENGINE.name)
    (into / f"{name}.cdx.json").write_text(bill_of_materials.of_packages(built, committed()), encoding="utf-8")
    made = sorted(into.iterdir())
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in made)
    (into / "SHA256SUMS").write_text(sums, encoding="utf-8")
    return [*made, into / "SHA256SUMS"]


def committed() -> datetime:
    """When the commit was made: the time in whatever has one."""
    command = ["git", "log", "-1", "--format=%cI"]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return datetime.fromisoformat(said.strip())


def version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def application() -> list[str]:
    """The template, all files that it names, and inputs to start from; as paths from the template."""
    inputs = [str(file.relative_to(ROOT)) for file in (ROOT / "events").rglob("*.json")]
    return sorted({"template.yaml", "samconfig.toml", *_named(template()), *inputs})


def _named(content: Any) -> Iterator[str]:
    """The local files that a part of a template names."""
    if isinstance(content, list):
        for item in content:
            yield from _named(item)
    elif isinstance(content, dict):
        for key, value in content.items():
            if key in _UPLOADED:
                yield value
            else:
                yield from _named(value)


if __name__ == "__main__":
    for file in make():
        sys.stdout.write(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1e6:.2f} MB\n")
