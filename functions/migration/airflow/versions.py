"""Airflow versions: their order, the path between two of them, and the Python that Amazon MWAA runs them on.

There is no list of versions here: Amazon MWAA adds and retires them, and itself refuses what it does not offer.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# The oldest source whose tables the engine knows.
OLDEST_SOURCE = "1.10.12"


class Version(NamedTuple):
    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def parse(text: str) -> Version:
    """`"2.11.2"` as a tuple that compares. Raises ValueError for anything but three numbers."""
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", text)
    if match is None:
        raise ValueError(f"not an Airflow version: {text!r}")
    return Version(*(int(part) for part in match.groups()))


def import_at(target: str, import_version: str) -> str:
    """The version that the target is created at.

    A 2.x target is imported at its own version. A 3.x target is created at `import_version` (the latest 2.11 that
    Amazon MWAA offers), because tasks on 3.x cannot reach the metadata database and upgrades to 3.x start there.
    """
    return import_version if parse(target).major >= 3 else target


def path(source: str, target: str, import_version: str) -> list[str]:
    """Every version that the metadata goes through: source, import version, hops. The first two may be equal."""
    steps = [source, import_at(target, import_version)]
    if target != steps[-1]:
        steps.append(target)
    return steps


def python_of(airflow_version: str) -> str:
    """The Python of Amazon MWAA's image: 3.11 for 2.7 to 2.10, 3.12 from 2.11 on (Amazon MWAA's version table)."""
    return "3.12" if parse(airflow_version) >= Version(2, 11, 0) else "3.11"
