"""The target's requirements.txt as it lies in S3: whether its lines fit the target's version, and each other.

What only an installation can show is in `installation_log`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from migration.airflow import constraints, versions
from migration.checks.check_results import Check, Finding

NAME = "Requirements"
# `Name[extra]==1.2.3`, whatever stands behind it; a version with a wildcard is no single version.
_PIN = re.compile(
    r"^\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*===?\s*(?P<version>[^\s;#,*]+)\s*(?P<marker>;[^#]*)?(?:#.*)?$"
)
_AIRFLOW = "apache-airflow"


def check(text: str, airflow_version: str, key: str) -> Check:
    """The check of a file's text; `key` is its place in the bucket."""
    lines = list(enumerate(text.splitlines(), 1))
    failures = [*_own_version(lines, airflow_version), *_contradictions(lines)]
    warnings = list(_constraints(lines, airflow_version))
    for found in (*failures, *warnings):
        found["file"] = key
    if failures:
        return Check(
            name=NAME,
            result="fail",
            message=f"The target's requirements.txt cannot be installed on Airflow {airflow_version}.",
            remedy="Correct these lines, or give the target a file of its own by target.overrides.RequirementsS3Path.",
            findings=failures + warnings,
        )
    if warnings:
        return Check(
            name=NAME,
            result="warn",
            message=f"The target's requirements.txt may not fit Airflow {airflow_version}.",
            remedy="Look at these lines.",
            findings=warnings,
        )
    return Check(
        name=NAME,
        result="pass",
        message=f"The target's requirements.txt has the constraints of Airflow {airflow_version}, and no line of it "
        "contradicts another.",
    )


def none() -> Check:
    return Check(name=NAME, result="pass", message="The target has no requirements.txt.")


def undecodable(key: str) -> Check:
    return Check(
        name=NAME,
        result="warn",
        message=f"The target's requirements.txt, {key}, is not UTF-8, so its lines were not checked.",
        remedy="Save it as UTF-8.",
    )


def _constraints(lines: list[tuple[int, str]], airflow_version: str) -> Iterator[Finding]:
    wanted = constraints.constraint_line(airflow_version)
    constrained = False
    for number, line in lines:
        place = constraints.constraint_of(line)
        if place is None:
            continue
        constrained = True
        own = constraints.airflow_constraint(place)
        if own is None:
            yield Finding(
                line=number,
                message=f"The constraint file {place} is not Airflow's own; whether it fits is not known.",
                remedy=f"See that it is one for Airflow {airflow_version}, or use Airflow's: {wanted}",
            )
        elif own != (airflow_version, versions.python_of(airflow_version)):
            yield Finding(
                line=number,
                message=f"The constraints are for Airflow {own[0]} on Python {own[1]}.",
                remedy=f"Make it {wanted}",
            )
    if not constrained:
        yield Finding(
            message="There is no constraint line, so packages may come in versions that Airflow does not work with.",
            remedy=f"Put first {wanted}",
        )


def _own_version(lines: list[tuple[int, str]], airflow_version: str) -> Iterator[Finding]:
    for number, name, version, _ in _pins(lines):
        if name == _AIRFLOW and version != airflow_version:
            yield Finding(
                line=number,
                message=f"It asks for Airflow {version}; the target runs {airflow_version}, which is not replaced.",
                remedy="Take the line out, or leave the version to the constraints.",
            )


def _contradictions(lines: list[tuple[int, str]]) -> Iterator[Finding]:
    first: dict[tuple[str, str], tuple[int, str]] = {}
    for number, name, version, marker in _pins(lines):
        # Under another marker another line holds.
        before, other = first.setdefault((name, marker), (number, version))
        if other != version:
            yield Finding(
                line=number,
                message=f"{name} is {version} here and {other} in line {before}.",
                remedy="Keep one of the two lines.",
            )


def _pins(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str, str, str]]:
    """(line, normalised name, version, marker) of each line that names exactly one version."""
    for number, line in lines:
        found = _PIN.match(line)
        if found is not None:
            name = re.sub(r"[-_.]+", "-", found["name"]).lower()
            yield number, name, found["version"], re.sub(r"\s", "", found["marker"] or "")
