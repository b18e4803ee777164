"""The `requirements.txt` of an environment: its constraints fitted to another Airflow version."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migration.airflow import pip_requirements, versions
from migration.airflow.pip_requirements import Line

_OPTIONS = ("-c", "--constraint")
# A tag (`constraints-2.10.3`), a branch (`constraints-2-10`, `constraints-main`) or the tag of the latest release.
_AIRFLOW_S_OWN = re.compile(
    r"^(?P<base>https://.+?/)constraints-(?P<version>[0-9][0-9a-z.]*|[0-9]+-[0-9]+|main|latest)/"
    r"constraints(?P<kind>(?:-[a-z]+)*)-(?P<python>[0-9.]+)\.txt$"
)
_DEFAULT_BASE = "https://raw.githubusercontent.com/apache/airflow/"
# A wheel that only one version of CPython can install; `abi3` says that later ones can too.
_WHEEL = re.compile(r"[^/\s]*-cp(?P<major>\d)(?P<minor>\d+)-cp\d+m?-[^/\s]*\.whl")
_AIRFLOW = "apache-airflow"


def fitted(text: str, airflow_version: str) -> tuple[str, list[str]]:
    """The file for `airflow_version`, and a sentence for each thing that was done or that the user should look at.

    Airflow's own constraint files are replaced by those of the version and of its Python. What the user decided stays
    and is named: a constraint file of their own, one whose name has environment variables in it, a constraint that is
    commented out (for Amazon MWAA that means: none), an installation without an index. A file without any constraint
    gets one, because Amazon MWAA requires it from 2.7.2 on. No sentence has credentials from a URL in it.
    """
    notes: list[str] = []
    lines = text.splitlines()
    constrained = False
    for line in reversed(list(pip_requirements.lines_of(text))):
        places = constraints_of(line)
        constrained = constrained or bool(places)
        of_line = [_why_left(place, airflow_version) for place in places if airflow_constraint(place) is None]
        if len(of_line) < len(places):
            lines[line.first : line.end] = [_fitted_line(line, places, airflow_version)]
            of_line.append(f"The constraint line was set to Airflow {airflow_version}.")
        notes = of_line + notes
    if not constrained and pip_requirements.is_offline(text):
        notes.append(
            f"It installs without an index (--no-index), so no constraint line for Airflow {airflow_version} was added."
        )
    elif not constrained and not pip_requirements.mwaa_adds_constraints(text):
        notes.append("A commented-out constraint tells Amazon MWAA not to add one, so none was added.")
    elif not constrained:
        lines.insert(0, constraint_line(airflow_version))
        notes.append(f"A constraint line for Airflow {airflow_version} was added.")
    elif pip_requirements.mwaa_adds_constraints("\n".join(lines)):
        notes.append(
            "Amazon MWAA does not recognise `-cFILE` and `--constraint=FILE` and adds its own constraints to them. "
            "Write a blank between option and file if it should not."
        )
    result = "\n".join(lines) + "\n"
    return result, list(dict.fromkeys([*notes, *_doubts(result, airflow_version)]))


def constraints_of(line: Line) -> list[str]:
    """The constraint files that a line names."""
    return line.values(*_OPTIONS)


def airflow_constraint(place: str) -> tuple[str, str] | None:
    """The versions of Airflow and of Python that a constraint file of Airflow's own is for; None for any other."""
    found = _AIRFLOW_S_OWN.match(place)
    return None if found is None else (found["version"], found["python"])


def constraint_line(airflow_version: str) -> str:
    """The line with Airflow's own constraints for a version."""
    return f'--constraint "{_place(_DEFAULT_BASE, "", airflow_version)}"'


def _fitted_line(line: Line, places: list[str], airflow_version: str) -> str:
    # A line of its own is written in the form that Amazon MWAA recognises; else other options stand beside it.
    alone = re.fullmatch(r"(?:-c\s*|--constraint[=\s]\s*)\S+", line.text)
    text = f'--constraint "{places[0]}"' if alone else line.text
    for place in places:
        own = _AIRFLOW_S_OWN.match(place)
        if own is not None:
            text = text.replace(place, _place(own["base"], own["kind"], airflow_version))
    return text


def _why_left(place: str, airflow_version: str) -> str:
    shown = pip_requirements.shown(place)
    if pip_requirements.has_variables(place):
        return (
            f"The constraint file {shown} is named by environment variables and was left as it is. See that they name "
            f"one for Airflow {airflow_version} on Python {versions.python_of(airflow_version)} in the target."
        )
    return f"The constraint file {shown} is not Airflow's own and was left as it is."


def _doubts(text: str, airflow_version: str) -> Iterator[str]:
    """What need not install on the version, of what was left as it is."""
    python = versions.python_of(airflow_version)
    lines = list(pip_requirements.lines_of(text))
    if pip_requirements.is_offline(text):
        yield f"Airflow {airflow_version} runs on Python {python}: any wheels must be built for that version."
    if any(line.values("-i", "--index-url") for line in lines) and text.startswith(constraint_line(airflow_version)):
        yield (
            "It has an index of its own. The constraint line is a URL: if the target's network does not reach the "
            "internet, pip installs nothing at all."
        )
    if any(line.values("-r", "--requirement") for line in lines):
        yield "Files that it includes with -r were not read; see that their constraints fit as well."
    pinned = list(pip_requirements.pins(text))
    if any(pin.name == _AIRFLOW and pin.version != airflow_version for pin in pinned):
        yield (
            f"It pins {_AIRFLOW} to another version than {airflow_version}. pip then installs nothing at all: take the "
            "pin out."
        )
    others = sorted({pin.name for pin in pinned if pin.name != _AIRFLOW})
    if others and any(airflow_constraint(place) for line in lines for place in constraints_of(line)):
        yield (
            f"It pins {', '.join(others[:10])}{' and others' if len(others) > 10 else ''}. Where the constraints of "
            f"Airflow {airflow_version} have another version of a package, pip installs nothing at all; a rehearsal "
            "finds out."
        )
    if any("--hash=" in line.text for line in lines):
        yield f"Its hashes must be those of files for Python {python}."
    for line in lines:
        for wheel in _WHEEL.finditer(line.text):
            if f"{wheel['major']}.{wheel['minor']}" != python:
                yield f"{wheel[0]} is not for Python {python}, which Airflow {airflow_version} runs on."


def _place(base: str, kind: str, version: str) -> str:
    # The file of a version lies under a tag, that of a branch did not.
    base = base.replace("/refs/heads/", "/refs/tags/")
    return f"{base}constraints-{version}/constraints{kind}-{versions.python_of(version)}.txt"
