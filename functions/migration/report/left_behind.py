"""What stayed behind or arrived changed, in sentences for the report's reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migration import wording

#: Of task instances without a DAG version.
_HOW = (
    "have no version of their DAG, and stay queued if they are cleared as they are. Clear them with `Run with latest "
    "bundle version` (`run_on_latest_version` in the REST API), which gives them one."
)

#: Sentences of one kind; a database without any foreign key could have thousands.
MOST = 20


def notes(results: Mapping[str, Mapping[str, Any]], *, upgraded: bool) -> list[str]:
    """From the results of the tasks *export*, *import* and *verify*, and of the run that gives DAG versions
    (*versions*).

    `upgraded`: the target came to Airflow 3 with its history, by an upgrade in place.
    """
    exported, imported, verified = (results.get(name, {}) for name in ("export", "import", "verify"))
    found = [f"{line}." for line in imported.get("without_parent", [])[:MOST]]
    found += [f"Set aside by the export: {_rows(entry)}." for entry in exported.get("set_aside", [])[:MOST]]
    found += [
        f"An upgrade to Airflow 3 would fail on {_rows(entry)}. {entry['remedy']}"
        for entry in exported.get("refused_by_airflow_3", [])[:MOST]
    ]
    found += [f"Changed by the import: {line}." for line in imported.get("changed_values", [])[:MOST]]
    found += [f"Changed for the upgrade to Airflow 3: {line}." for line in verified.get("changed_for_hop", [])[:MOST]]
    found += _dag_versions(results.get("versions", {}) if upgraded else imported, upgraded)
    for what in ("columns", "indexes", "constraints"):
        names = exported.get(f"{what}_left_out", [])
        if names:
            listed = wording.listed(names, MOST)
            found.append(f"{what.capitalize()} that are not Airflow's were not made in the target: {listed}.")
    return found


def _dag_versions(result: Mapping[str, Any], upgraded: bool) -> list[str]:
    """Which old task instances can be cleared and run again, and how the others can."""
    given, without = result.get("given_dag_version", 0), result.get("without_dag_version", 0)
    found = []
    if given:
        found.append(
            f"{wording.counted(given, 'task instance')} from before Airflow 3 got the target's latest version of their "
            "DAG, so that they can be cleared and run again. It is not the version that ran."
        )
    if without:
        found.append(f"{wording.counted(without, 'task instance')} of DAGs that the target does not know {_HOW}")
    elif upgraded and not given and "without_dag_version" not in result:
        found.append(f"The task instances from before the upgrade to Airflow 3 {_HOW}")
    return found


def _rows(entry: Mapping[str, Any]) -> str:
    more = ", ..." if entry["rows"] > len(entry["examples"]) else ""
    rows = wording.counted(entry["rows"], "row")
    return f"{rows} of {entry['table']} ({', '.join(entry['examples'])}{more}): {entry['reason']}"
