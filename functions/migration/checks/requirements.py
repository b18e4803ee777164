"""The target's requirements.txt as it lies in S3: whether its lines fit the target's version, and each other.

What only an installation can show is in `installation_log`.
"""

from __future__ import annotations

from collections.abc import Iterator

from migration.airflow import constraints, pip_requirements, versions
from migration.checks.check_results import Check, Finding

NAME = "Requirements"
_AIRFLOW = "apache-airflow"


def check(text: str, airflow_version: str, key: str, source: str) -> Check:
    """The check of a file's text; `key` is its place in the bucket, `source` the text of the source's file.

    What the source's file contradicts itself in as well is only a warning: pip fails there already.
    """
    failures = list(_own_version(text, airflow_version))
    warnings = list(_constraints(text, airflow_version))
    before = {pins for pins, _ in _contradictions(source)}
    for pins, finding in _contradictions(text):
        if pins in before:
            finding["message"] = f"{finding.get('message')} It is so in the source's file."
        (warnings if pins in before else failures).append(finding)
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
    constrained = any(constraints.constraints_of(line) for line in pip_requirements.lines_of(text))
    own = f"the constraints of Airflow {airflow_version}" if constrained else "no constraints, by its own decision"
    return Check(
        name=NAME,
        result="pass",
        message=f"The target's requirements.txt has {own}, and no line of it contradicts another.",
    )


def none() -> Check:
    return Check(name=NAME, result="pass", message="The target has no requirements.txt.")


def _constraints(text: str, airflow_version: str) -> Iterator[Finding]:
    wanted = constraints.constraint_line(airflow_version)
    constrained = False
    for line in pip_requirements.lines_of(text):
        number = line.first + 1
        for place in constraints.constraints_of(line):
            constrained = True
            own = constraints.airflow_constraint(place)
            if own is None:
                yield Finding(
                    line=number,
                    message=f"The constraint file {pip_requirements.shown(place)} is not Airflow's own; whether it "
                    "fits is not known.",
                    remedy=f"See that it is one for Airflow {airflow_version}, or use Airflow's: {wanted}",
                )
            elif own != (airflow_version, versions.python_of(airflow_version)):
                yield Finding(
                    line=number,
                    message=f"The constraints are for Airflow {own[0]} on Python {own[1]}.",
                    remedy=f"Make it {wanted}",
                )
    # A constraint in a comment, or none beside wheels of one's own, is how Amazon MWAA is told to add none.
    if not constrained and pip_requirements.mwaa_adds_constraints(text) and not pip_requirements.is_offline(text):
        yield Finding(
            message="There is no constraint line, so packages may come in versions that Airflow does not work with.",
            remedy=f"Put first {wanted}",
        )


def _own_version(text: str, airflow_version: str) -> Iterator[Finding]:
    for pin in pip_requirements.pins(text):
        if pin.name == _AIRFLOW and pin.version != airflow_version:
            yield Finding(
                line=pin.line,
                message=f"It asks for Airflow {pin.version}; the target runs {airflow_version}, which is not replaced.",
                remedy="Take the line out, or leave the version to the constraints.",
            )


def _contradictions(text: str) -> Iterator[tuple[tuple[str, str, str], Finding]]:
    """Each with the package and its two versions, by which it is found in another file."""
    first: dict[tuple[str, str], tuple[int, str]] = {}
    for pin in pip_requirements.pins(text):
        # Under another marker another line holds.
        before, other = first.setdefault((pin.name, pin.marker), (pin.line, pin.version))
        if other != pin.version:
            yield (
                (pin.name, other, pin.version),
                Finding(
                    line=pin.line,
                    message=f"{pin.name} is {pin.version} here and {other} in line {before}.",
                    remedy="Keep one of the two lines.",
                ),
            )
