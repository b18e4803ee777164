"""The target's plugins.zip with our plugin in it, beside the user's own."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path

from migration.airflow.our_dags import NAME
from migration.environments import dag_folder

_PLUGIN = f"{NAME}_plugin"
#: A zip file holds no time before it, and the same content must be the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


#: Bytes of a user's archive that fit into a function's memory, twice.
LARGEST = 200 * 1024**2


def with_plugin(users: bytes | None, artifacts: str) -> bytes:
    """The archive.

    Args:
        users: the user's plugins.zip; None where there is none.
        artifacts: the URL that the artifacts of this stack's migrations begin with.

    Raises:
        zipfile.BadZipFile: the user's is no archive.
    """
    package = dag_folder.DAGS / NAME
    ours = {
        f"{_PLUGIN}.py": (package / "in_scheduler" / f"{_PLUGIN}.py").read_bytes(),
        f"{_PLUGIN}.json": json.dumps({"artifacts": artifacts}).encode(),
        f"{NAME}_engine.zip": _engine(package),
    }
    into = BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        if users is not None:
            with zipfile.ZipFile(BytesIO(users)) as given:
                # An archive of an earlier migration has our plugin already.
                for item in given.infolist():
                    if item.filename not in ours:
                        archive.writestr(item, given.read(item))
        for name, content in ours.items():
            _add(archive, name, content)
    return into.getvalue()


def _engine(package: Path) -> bytes:
    """The engine as a zip file, whose modules Airflow does not take for plugins."""
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(package.rglob("*.py")):
            _add(archive, file.relative_to(package.parent).as_posix(), file.read_bytes())
    return made.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    item = zipfile.ZipInfo(name, _DATE)
    item.compress_type = zipfile.ZIP_DEFLATED
    # Amazon MWAA unpacks it as one user and reads it as another.
    item.external_attr = 0o644 << 16
    archive.writestr(item, content)
