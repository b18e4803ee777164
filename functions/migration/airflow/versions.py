"""Airflow versions: their order, and the Python that Amazon MWAA runs them on.

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


def python_of(airflow_version: str) -> str:
    """The Python of Amazon MWAA's image: 3.11 for 2.7 to 2.10, 3.12 from 2.11 on (Amazon MWAA's version table)."""
    return "3.12" if parse(airflow_version) >= Version(2, 11, 0) else "3.11"
