"""Makes the two packages that template.yaml deploys: `make build`.

All functions share one package, so it is made once, as a zip file that SAM uploads as it is. `sam build` would make one
for each function, and would pack the AWS SDK, which Lambda has and the X-Ray SDK depends on. A package of the same
contents has the same bytes, so deploying again changes nothing that has not changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from local.installations.file_lock import exclusively

ROOT = Path(__file__).resolve().parent.parent
#: Where template.yaml looks for them.
FUNCTIONS = Path("build", "functions.zip")
RUFF_LAYER = Path("build", "ruff-layer.zip")

#: Lambda's platform, whatever this machine is. What is compiled in the requirements has a fallback in Python, so the
#: local AWS runs the same package on any other platform.
_PLATFORM = ("--python-version", "3.13", "--platform", "manylinux2014_aarch64", "--platform", "manylinux_2_28_aarch64")
_PIP_INSTALL = (
    *("install", "--quiet", "--disable-pip-version-check", "--no-compile", "--only-binary=:all:"),
    *("--no-deps", "--require-hashes", *_PLATFORM),
)

#: A path in a package, and the file that lies there.
Contents = dict[str, Path]


class PackagingFailed(Exception):
    """pip could not install what a package needs; the message ends with what it printed."""


def build(root: Path = ROOT) -> list[Path]:
    """Makes the packages of a source tree where their contents have changed, and returns their files.

    Raises:
        PackagingFailed: a requirement could not be installed.
    """
    with exclusively(root / "build" / "packages.lock"):
        packages = {root / FUNCTIONS: functions(root), root / RUFF_LAYER: ruff_layer(root)}
        for package, contents in packages.items():
            write(package, contents)
    return list(packages)


def functions(root: Path) -> Contents:
    """The functions with what they import, and the DAGs that they stage."""
    installed = _install(root, root / "functions" / "requirements.txt")
    own = [*(root / "functions").glob("*.py"), *_files(root / "functions" / "migration")]
    return {
        **{str(file.relative_to(installed)): file for file in _files(installed) if not _is_left_out(file, installed)},
        **{str(file.relative_to(root / "functions")): file for file in own},
        **{str(file.relative_to(root)): file for file in _files(root / "dags")},
    }


def ruff_layer(root: Path) -> Contents:
    """ruff's program where Lambda's PATH has it, and what says its version and license.

    The lock file goes along: by it the local AWS installs the same release for the machine that it runs on.
    """
    lock = root / "layers" / "ruff" / "requirements.txt"
    installed = _install(root, lock)
    about = [file for folder in installed.glob("*.dist-info") for file in _files(folder)]
    return {
        "bin/ruff": installed / "bin" / "ruff",
        **{f"python/{file.relative_to(installed)}": file for file in about},
        "requirements.txt": lock,
    }


def _is_left_out(file: Path, installed: Path) -> bool:
    """Whether Lambda has no use for it: programs, and wrapt's stubs for type checkers."""
    return file.relative_to(installed).parts[0] in ("bin", "wrapt-stubs")


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts]


def _install(root: Path, lock: Path) -> Path:
    """Installs what a lock file names into a folder, once for this lock file and these options of pip."""
    asked_for = hashlib.sha256(lock.read_bytes() + repr(_PIP_INSTALL).encode()).hexdigest()
    folder = root / "build" / "requirements" / asked_for[:16]
    if not folder.is_dir():
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        done = subprocess.run(
            [sys.executable, "-m", "pip", *_PIP_INSTALL, "--target", str(unfinished), "--requirement", str(lock)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PackagingFailed(
                f"pip could not install {lock.relative_to(root)}:\n{done.stdout}{done.stderr}".strip()
            )
        unfinished.rename(folder)
    return folder


def digest(contents: Contents) -> str:
    """What changes whenever a path, a file or the right to execute it changes."""
    found = hashlib.sha256()
    for name, file in sorted(contents.items()):
        found.update(f"{name} {_mode(file):o} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def write(package: Path, contents: Contents) -> None:
    """Writes the zip file, unless it is there with these contents: their digest is its comment."""
    wanted = digest(contents).encode()
    if package.is_file() and _comment(package) == wanted:
        return
    unfinished = package.with_suffix(".unfinished")
    with zipfile.ZipFile(unfinished, "w") as archive:
        archive.comment = wanted
        add(archive, contents)
    unfinished.replace(package)


def add(archive: zipfile.ZipFile, contents: Contents) -> None:
    """Adds files to an archive in such a way that the same files are the same bytes."""
    for name, file in sorted(contents.items()):
        # An entry has no date but ZipInfo's own, 1980-01-01, and no rights but these.
        entry = zipfile.ZipInfo(name)
        entry.external_attr = _mode(file) << 16
        archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)


def _mode(file: Path) -> int:
    return 0o100755 if os.access(file, os.X_OK) else 0o100644


def _comment(package: Path) -> bytes:
    with zipfile.ZipFile(package) as archive:
        return archive.comment


if __name__ == "__main__":
    for made in build():
        sys.stdout.write(f"{made.relative_to(ROOT)}: {made.stat().st_size / 1e6:.1f} MB\n")
