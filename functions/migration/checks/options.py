"""The environment's Airflow options against the target's version. By their names only: values can be secrets."""

from __future__ import annotations

from collections.abc import Mapping

from migration.airflow import renamed_options
from migration.checks.check_results import Check, Finding
from migration.wording import counted

NAME = "Airflow options"


def check(source: Mapping[str, str], target: Mapping[str, str], airflow_version: str) -> Check:
    """The check of the options that the source has and those that the target has got, both `section.option`: value."""
    findings = [
        Finding(message=f"{option} was removed from Airflow; the target does without it.", remedy=suggestion)
        for option, suggestion in renamed_options.removed(source, airflow_version).items()
        if option not in target
    ]
    findings += [
        Finding(
            message=f"Airflow {airflow_version} ignores {option}, which it does not know.",
            remedy="Correct the name, or take it out by target.overrides.AirflowConfigurationOptions.",
        )
        for option in renamed_options.unknown(target, airflow_version)
    ]
    if not findings:
        return Check(
            name=NAME,
            result="pass",
            message=f"{counted(len(target), 'option')} set, and none unknown to Airflow {airflow_version}.",
        )
    return Check(
        name=NAME,
        result="warn",
        message=f"Airflow {airflow_version} ignores {counted(len(findings), 'option')}.",
        remedy="Find out whether the environment relied on them.",
        findings=findings,
    )
