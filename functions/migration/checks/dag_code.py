"""The user's DAGs against the target's version: checks, made of what the linter has found."""

from __future__ import annotations

from collections.abc import Sequence

from migration.airflow import versions
from migration.checks.check_results import Check, Finding, Result
from migration.checks.dag_files import DagFile, DagFiles
from migration.checks.linter import SYNTAX, Violation
from migration.wording import counted

# What Airflow 3 no longer has: a DAG file with it cannot be imported, or its tasks fail.
_REMOVED = ("AIR301", "AIR302", "AIR303")
# What it still has, but does not want: 311, 312 and 321 for what has a new place, 304 for values that make a new
# version of the DAG each time that it is parsed.
_DEPRECATED = ("AIR304", "AIR311", "AIR312", "AIR321")
# 2.x runs a DAG without a schedule every day, 3.x never.
_NO_SCHEDULE = ("AIR002",)
# Not: rules of style (001, 004, 201, 202), and of speed (003), which hold for the source as well.
RULES = (*_REMOVED, *_DEPRECATED, *_NO_SCHEDULE)

# More findings say nothing new; the message has the total.
MAX_FINDINGS = 1000

_GUIDE = "Replace it as the guide to upgrading to Airflow 3 says."
# Where ruff knows no replacement, by the name in its message.
_BY_NAME = {
    "airflow.utils.dates.days_ago": "Give a fixed date, such as `pendulum.datetime(2024, 1, 1)`.",
    "default_view": "Take it out; the web server of Airflow 3 has one view.",
    "execution_date": "Use `logical_date`, or `data_interval_start` where the interval is meant.",
    "next_ds": "Use `data_interval_end`.",
    "next_ds_nodash": "Use `data_interval_end`.",
    "next_execution_date": "Use `data_interval_end`.",
    "orientation": "Take it out; Airflow 3 has no such setting.",
    "prev_ds": "Use `prev_data_interval_start_success`, or reckon it from `data_interval_start`.",
    "prev_ds_nodash": "Use `prev_data_interval_start_success`, or reckon it from `data_interval_start`.",
    "prev_execution_date": "Use `prev_data_interval_start_success`, or reckon it from `data_interval_start`.",
    "provide_context": "Take it out; tasks always get the context.",
    "sla_miss_callback": "Take it out; Airflow 3 has no SLAs. Deadline alerts (3.1) take their place.",
    "tomorrow_ds": "Reckon it from `data_interval_end`.",
    "yesterday_ds": "Reckon it from `data_interval_start`.",
}
_BY_RULE = {
    "AIR002": "Give `schedule` what the DAG ran by until now: `timedelta(days=1)`, or None to start it by hand only.",
    "AIR303": "Change the call to what the function takes in Airflow 3.",
    "AIR304": "Give a value that stays the same each time that the file is parsed.",
}
_UNDECODABLE = "The file is not UTF-8 and declares no other encoding that fits, so Python cannot read it."


def check(files: DagFiles, violations: Sequence[Violation], airflow_version: str) -> list[Check]:
    """The checks of the DAGs' code for a target at `airflow_version`."""
    three = versions.parse(airflow_version).major >= 3
    checks = [_syntax(files, violations, versions.python_of(airflow_version))]
    checks += _for_three(files, violations, airflow_version) if three else [_for_two(files, violations)]
    if files.unread:
        checks.append(
            Check(
                name="DAG files not examined",
                result="warn",
                message=f"{counted(len(files.unread), 'file')} could not be read.",
                remedy="Run them to find out whether they work on the target's version.",
                findings=files.unread[:MAX_FINDINGS],
            )
        )
    return checks


def _syntax(files: DagFiles, violations: Sequence[Violation], python: str) -> Check:
    name = "Python syntax"
    broken = [violation for violation in violations if violation.rule == SYNTAX]
    findings = [Finding(file=file.path, message=_UNDECODABLE, remedy="Save it as UTF-8.") for file in files.undecodable]
    findings += [_finding(files, violation) for violation in broken]
    read = len(files.files) + len(files.undecodable)
    if not findings:
        return Check(name=name, result="pass", message=f"{counted(read, 'file')} read, each is valid Python {python}.")
    places: list[DagFile] = [*files.undecodable, *(files.files[violation.file] for violation in broken)]
    # Airflow parses these; the others are broken too, but may be files that nobody imports.
    parsed = any(file.may_have_dags for file in places)
    broken_files = counted(len({file.path for file in places}), "file")
    return Check(
        name=name,
        result="fail" if parsed else "warn",
        message=f"{broken_files} of {read} cannot be compiled by Python {python}.",
        remedy="Correct them for that version of Python, or take them out of the DAG folder.",
        findings=findings[:MAX_FINDINGS],
    )


def _for_three(files: DagFiles, violations: Sequence[Violation], version: str) -> list[Check]:
    removed, deprecated, unscheduled = (
        [violation for violation in violations if violation.rule in rules]
        for rules in (_REMOVED, _DEPRECATED, _NO_SCHEDULE)
    )
    return [
        _judged(
            files,
            removed,
            name="Removed in Airflow 3",
            result="fail",
            good=f"The DAGs use nothing that Airflow {version} has removed.",
            bad="the DAGs use what Airflow 3 does not have any more",
            remedy="Change these places before the migration; most replacements also work on 2.11.",
        ),
        _judged(
            files,
            deprecated,
            name="Deprecated in Airflow 3",
            result="warn",
            good=f"The DAGs use nothing that Airflow {version} has deprecated.",
            bad="the DAGs use what Airflow 3 still has, but has deprecated",
            remedy="They work after the migration; change them before the next one.",
        ),
        _judged(
            files,
            unscheduled,
            name="DAGs without a schedule",
            result="warn",
            good="Each DAG says by which schedule it runs.",
            bad="DAGs have no schedule; Airflow 2 runs such a DAG every day, Airflow 3 never",
            remedy="Give each of these DAGs a schedule.",
        ),
    ]


def _for_two(files: DagFiles, violations: Sequence[Violation]) -> Check:
    """One check that passes: what Airflow 3 has removed is there in a 2.x target."""
    removed = [violation for violation in violations if violation.rule in _REMOVED]
    message = (
        f"In {_places(files, removed)} the DAGs use what Airflow 3 has removed. The target still has it."
        if removed
        else "Nothing in use that Airflow 3 has removed."
    )
    findings = [_finding(files, violation) for violation in removed[:MAX_FINDINGS]]
    return Check(name="Ready for Airflow 3", result="pass", message=message, findings=findings)


def _judged(
    files: DagFiles,
    violations: Sequence[Violation],
    *,
    name: str,
    result: Result,
    good: str,
    bad: str,
    remedy: str,
) -> Check:
    if not violations:
        return Check(name=name, result="pass", message=good)
    return Check(
        name=name,
        result=result,
        message=f"In {_places(files, violations)} {bad}.",
        remedy=remedy,
        findings=[_finding(files, violation) for violation in violations[:MAX_FINDINGS]],
    )


def _finding(files: DagFiles, violation: Violation) -> Finding:
    rule = "" if violation.rule == SYNTAX else f" ({violation.rule})"
    found = Finding(file=files.files[violation.file].path, line=violation.line, message=f"{violation.message}{rule}")
    remedy = violation.remedy or _remedy(violation)
    return {**found, "remedy": remedy} if remedy else found


def _remedy(violation: Violation) -> str | None:
    if violation.rule == SYNTAX:
        return None
    return _BY_NAME.get(violation.named) or _BY_RULE.get(violation.rule) or _GUIDE


def _places(files: DagFiles, violations: Sequence[Violation]) -> str:
    count = len({violation.file for violation in violations})
    return f"{counted(len(violations), 'place')} of {counted(count, 'file')}"
