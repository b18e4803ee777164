"""The `requirements.txt` of an environment: its constraint line fitted to another Airflow version."""

from __future__ import annotations

import re

from migration.airflow import versions

# `--constraint "https://.../constraints-2.10.3/constraints-3.11.txt"`, `-c ...`, `--constraint=...`, quoted or not.
_CONSTRAINT = re.compile(r"^\s*(?:--constraint[=\s]|-c\s)\s*(['\"]?)(?P<place>[^'\"#]+?)\1\s*(?:#.*)?$")
_AIRFLOW_S_OWN = re.compile(
    r"^(?P<base>https://.+?/)constraints-(?P<version>[0-9][0-9a-z.]*)/"
    r"constraints(?P<kind>(?:-[a-z]+)*)-(?P<python>[0-9.]+)\.txt$"
)
_DEFAULT_BASE = "https://raw.githubusercontent.com/apache/airflow/"


def fitted(text: str, airflow_version: str) -> tuple[str, list[str]]:
    """The file for `airflow_version`, and a sentence for each thing that was done or that the user should look at.

    Airflow's own constraint files are replaced by those of the version and of its Python; a constraint file of the
    user's is left alone and named. Without any constraint line one is put first, because Amazon MWAA
    requires one from 2.7.2 on.
    """
    notes: list[str] = []
    lines: list[str] = []
    constrained = False
    for line in text.splitlines():
        place = constraint_of(line)
        if place is None:
            lines.append(line)
            continue
        constrained = True
        own = _AIRFLOW_S_OWN.match(place)
        if own is None:
            lines.append(line)
            notes.append(f"The constraint file {place} is not Airflow's own and was left as it is.")
            continue
        lines.append(_line(own["base"], own["kind"], airflow_version))
        notes.append(f"The constraint line was set to Airflow {airflow_version}.")
    if not constrained:
        lines.insert(0, constraint_line(airflow_version))
        notes.append(f"A constraint line for Airflow {airflow_version} was added.")
    return "\n".join(lines) + "\n", notes


def constraint_of(line: str) -> str | None:
    """The constraint file that a line names; None for any other line."""
    found = _CONSTRAINT.match(line)
    return None if found is None else found["place"]


def airflow_constraint(place: str) -> tuple[str, str] | None:
    """The versions of Airflow and of Python that a constraint file of Airflow's own is for; None for any other."""
    found = _AIRFLOW_S_OWN.match(place)
    return None if found is None else (found["version"], found["python"])


def constraint_line(airflow_version: str) -> str:
    """The line with Airflow's own constraints for a version."""
    return _line(_DEFAULT_BASE, "", airflow_version)


def _line(base: str, kind: str, version: str) -> str:
    python = versions.python_of(version)
    return f'--constraint "{base}constraints-{version}/constraints{kind}-{python}.txt"'
