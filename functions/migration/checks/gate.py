"""Whether a migration goes on after its checks: what fails in the target and not in the source stops it.

Nothing is paused yet, so stopping costs the target's creation and no downtime.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from migration import wording
from migration.checks import check_results, source_dags
from migration.checks.check_results import Check, Finding
from migration.errors import ChecksFailed
from migration.exchange.store import Store
from migration.model import Migration

# Places that the message names; the report has all.
_PLACES = 3


def enforce(store: Store, artifact: Store, migration: Migration) -> None:
    """Raises ChecksFailed for what the checks of a migration have found so far, unless its input asks for warnings.

    Args:
        store: the attempt's.
        artifact: where the probe has left what the source knows.
    """
    if migration["mode"] == "migrate" and migration["options"]["checks"] == "enforce":
        require(check_results.read(store), source_dags.read(artifact, migration)["broken_files"])


def require(checks: Iterable[Check], broken_in_source: Collection[str]) -> None:
    """Raises ChecksFailed with every check that fails for more than files that the source cannot import either."""
    failed = [check for check in checks if check["result"] == "fail" and is_new(check, broken_in_source)]
    if failed:
        raise ChecksFailed(
            f"{wording.counted(len(failed), 'check')} failed, before any DAG was paused. "
            f"{' '.join(_told(check) for check in failed)} The report has each place and what to do there. Fix "
            'them and start again, or start with "checks": "warn" in options to migrate all the same.'
        )


def require_after_hop(check: Check, airflow_version: str) -> None:
    """Raises ChecksFailed if the target does not run at its new version as it should. The source is paused by now."""
    if check["result"] == "fail":
        raise ChecksFailed(
            f"After the upgrade to Airflow {airflow_version}: {_told(check)} The report has each place. Correct the "
            "requirements.txt of the source, delete the target and start again, or start with "
            '"checks": "warn" in options to migrate all the same.'
        )


def is_new(check: Check, broken_in_source: Collection[str]) -> bool:
    """Whether a failed check has found anything but files that are broken in the source."""
    findings = check.get("findings") or []
    return not findings or any((one.get("file") or "") not in broken_in_source for one in findings)


def _told(check: Check) -> str:
    places = list(dict.fromkeys(place for one in check.get("findings") or [] if (place := _place(one))))
    shown = f" ({', '.join(places[:_PLACES])}{', ...' if len(places) > _PLACES else ''})" if places else ""
    return f"{check['name']}: {check['message'].removesuffix('.')}{shown}."


def _place(finding: Finding) -> str:
    file, line, dag = finding.get("file"), finding.get("line"), finding.get("dag")
    return dag or (f"{file}:{line}" if file and line else file or "")
