"""Compares the source, as it is now, with the sums that a base or a delta has recorded of it."""

from __future__ import annotations

import tempfile
from typing import Any, Dict, Mapping

from mwaa_migrator.airflow_schema.tables import WRITTEN_WHILE_PAUSED
from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.artifact.directory_storage import DirectoryStorage
from mwaa_migrator.artifact.sums import compare_sums, recorded_sums
from mwaa_migrator.copying.workers import Session
from mwaa_migrator.errors import SourceChanged
from mwaa_migrator.export.history_cut import read_cut
from mwaa_migrator.export.plan import plan_export
from mwaa_migrator.export.refused_rows import is_set_aside, rules_to_come, without_refused_rows
from mwaa_migrator.export.summing import Summing, described, options_of_delta
from mwaa_migrator.export.unit_sums import write_sums
from mwaa_migrator.postgres.row_names import EXAMPLES
from mwaa_migrator.postgres.session import execute, fetch_value
from mwaa_migrator.progress import Progress
from mwaa_migrator.this_airflow.database import metadata_database


def compare_source(artifact: Artifact, processes: int, progress: Progress) -> Dict[str, Any]:
    """``{"unchanged", "artifact_id", "changed_units", "examples", "phases"}``; the examples are runs that have changed.

    ``unchanged`` says so of everything but what a source writes whose DAGs are all paused, which ``changed_units`` has.

    Raises NotABase, NewBaseNeeded, and what ``plan_export`` and ``read_cut`` raise.
    """
    sums = recorded_sums(artifact)
    options = options_of_delta(artifact, processes)
    with metadata_database() as source, progress.phase("sum"):
        plan = plan_export(source, options)
        source.connection.rollback()
        execute(source.connection, "begin isolation level repeatable read read only")
        snapshot = fetch_value(source.connection, "select pg_export_snapshot()")
        cut = Summing(artifact).begin(read_cut(plan, options))
        aside = [rule for rule in rules_to_come(plan, options).on_the_way if is_set_aside(rule, options.set_aside)]
        cut, _ = without_refused_rows(cut, aside, options)
        session = Session(source.place.connection_parameters(), snapshot=snapshot)
        with tempfile.TemporaryDirectory(prefix="mwaa_migrator-") as directory:
            storage = DirectoryStorage(directory)
            now = write_sums(cut, sums["algorithm"], storage, session, processes)
            changes = compare_sums((artifact.storage, sums["tables"]), (storage, now["tables"]))
        source.connection.rollback()
    progress.say(f"compare: {described(changes)}")
    return {
        "unchanged": not set(changes.tables) - WRITTEN_WHILE_PAUSED,
        "artifact_id": artifact.id,
        "changed_units": changes.counts(),
        "examples": [" ".join(run) for run in sorted(changes.runs)[:EXAMPLES]],
        "phases": progress.phases,
    }


def require_unchanged(result: Mapping[str, Any]) -> None:
    """Raises SourceChanged with the runs that ``compare_source`` found changed."""
    if not result["unchanged"]:
        message = "The source has changed since {}: {:,} runs ({}); tables: {}. Take another delta and import it."
        runs, changed = ", ".join(result["examples"]) or "none", result["changed_units"]
        raise SourceChanged(message.format(result["artifact_id"], changed["runs"], runs, ", ".join(changed["tables"])))
