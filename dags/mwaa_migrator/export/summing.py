"""What makes an export a base or a delta: the sums of all units, in its snapshot; and for a delta, the choice of rows.

A delta compares its sums with those of the artifact that it follows. Whatever happened to a row since then (inserted,
updated, deleted, committed late, written in a savepoint) changes the sum of its unit. No row version is asked for its
age, because a deletion leaves none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Tuple

from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.artifact.sums import Changes, compare_sums, recorded_sums, write_changes
from mwaa_migrator.copying.workers import Session
from mwaa_migrator.export.changed_rows import changed_rows
from mwaa_migrator.export.export_options import ExportOptions
from mwaa_migrator.export.history_cut import HistoryCut
from mwaa_migrator.export.source_identity import read_identity, require_same_source
from mwaa_migrator.export.unit_sums import write_sums
from mwaa_migrator.progress import Progress


@dataclass(frozen=True)
class Summing:
    """``follows`` is the base, or the delta, that a delta follows; None for a base."""

    follows: Artifact | None = None

    def begin(self, cut: HistoryCut) -> HistoryCut:
        """The cut in the export's snapshot: history since the same time as in the base.

        Raises NotABase or NewBaseNeeded.
        """
        if self.follows is None:
            return cut
        recorded_sums(self.follows)
        require_same_source(cut.plan, self.follows)
        return replace(cut, since=self.follows.manifest["history_since"])

    def sum_units(
        self, cut: HistoryCut, storage: Storage, session: Session, processes: int, progress: Progress
    ) -> Tuple[HistoryCut, Dict[str, Any]]:
        """Write the sums; returns the cut to the rows that are to be copied, and what the manifest says of it."""
        algorithm = cut.plan.source.checksum_algorithm
        if self.follows is not None:
            algorithm = recorded_sums(self.follows)["algorithm"]
        sums = write_sums(cut, algorithm, storage, session, processes)
        entries: Dict[str, Any] = {
            "sums": sums,
            "history_since": cut.since,
            "source_identity": read_identity(cut.plan.source.connection),
            "follows": None,
        }
        if self.follows is None:
            return cut, entries
        changes = compare_sums((self.follows.storage, recorded_sums(self.follows)["tables"]), (storage, sums["tables"]))
        progress.say(f"delta: {described(changes)}")
        cut = replace(cut, changed=changed_rows(cut.plan, changes))
        entries["changes_sha256"] = write_changes(storage, changes)
        entries["follows"] = {"artifact_id": self.follows.id, "manifest_sha256": self.follows.manifest["sha256"]}
        entries["changed_units"] = changes.counts()
        return cut, entries


def described(changes: Changes) -> str:
    """How much has changed, in a few words."""
    others = ", ".join(sorted({*changes.blocks, *changes.rows}))
    return "{:,} runs have changed, of which {:,} are gone{}".format(
        len(changes.runs), len(changes.gone_runs), f"; rows without runs have changed in {others}" if others else ""
    )


def options_of_delta(base: Artifact, processes: int) -> ExportOptions:
    """The choices of the base: a delta takes the same tables and rows."""
    return ExportOptions(**dict(base.manifest["options"], processes=processes))
