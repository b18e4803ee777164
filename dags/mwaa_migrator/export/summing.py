"""What makes an export a base or a delta: the sums of all units, in its snapshot; and for a delta, the choice of rows.

A delta compares its sums with those of the artifact that it follows. Whatever happened to a row since then (inserted,
updated, deleted, committed late, written in a savepoint) changes the sum of its unit. No row version is asked for its
age, because a deletion leaves none.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Collection, Dict, Mapping

from mwaa_migrator.airflow_schema.encryption import ENCRYPTED_COLUMNS
from mwaa_migrator.airflow_schema.units import unit_of
from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.artifact.sums import Changes, Key, compare_sums, recorded_sums, total, write_changes
from mwaa_migrator.copying.workers import Session
from mwaa_migrator.export.changed_rows import changed_rows, chosen_units
from mwaa_migrator.export.export_options import ExportOptions
from mwaa_migrator.export.history_cut import HistoryCut
from mwaa_migrator.export.source_identity import read_identity, require_same_source
from mwaa_migrator.export.unit_sums import write_sums
from mwaa_migrator.postgres.checksums import Checksum
from mwaa_migrator.progress import Progress


@dataclass(frozen=True)
class Summed:
    """``cut`` is that to the rows which are to be copied, ``entries`` what the manifest says of the sums.

    ``checksums`` are those of tables whose rows the sums have counted already.
    """

    cut: HistoryCut
    entries: Mapping[str, Any] = field(default_factory=dict)
    checksums: Mapping[str, Checksum] = field(default_factory=dict)


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
    ) -> Summed:
        """Write the sums, and for a delta what has changed."""
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
            return Summed(cut, entries, _checksums(cut, storage, sums, {}))
        changes = compare_sums((self.follows.storage, recorded_sums(self.follows)["tables"]), (storage, sums["tables"]))
        progress.say(f"delta: {described(changes)}")
        cut = replace(cut, changed=changed_rows(cut.plan, changes))
        entries["changes_sha256"] = write_changes(storage, changes)
        entries["follows"] = {"artifact_id": self.follows.id, "manifest_sha256": self.follows.manifest["sha256"]}
        entries["changed_units"] = changes.counts()
        return Summed(cut, entries, _checksums(cut, storage, sums, chosen_units(cut.plan, changes)))


def _checksums(
    cut: HistoryCut, storage: Storage, sums: Dict[str, Any], chosen: Mapping[str, Collection[Key]]
) -> Dict[str, Checksum]:
    """The checksums of the rows to copy, where they are sums of units.

    They are not of a table with secrets, which are no part of a checksum, nor of one whose rows find their run by
    another table: a row that finds none has no unit. ``chosen`` are the units that go; of other tables all go.
    """
    if sums["algorithm"] != cut.plan.source.checksum_algorithm:
        return {}
    found: Dict[str, Checksum] = {}
    for name, table in cut.plan.tables.items():
        way = unit_of(table, cut.plan.tables).way
        if name not in ENCRYPTED_COLUMNS and not (way and way.joins):
            found[name] = total(storage, sums["tables"][name], chosen.get(name))
    return found


def described(changes: Changes) -> str:
    """How much has changed, in a few words."""
    others = ", ".join(sorted({*changes.blocks, *changes.rows}))
    return "{:,} runs have changed, of which {:,} are gone{}".format(
        len(changes.runs), len(changes.gone_runs), f"; rows without runs have changed in {others}" if others else ""
    )


def options_of_delta(base: Artifact, processes: int) -> ExportOptions:
    """The choices of the base: a delta takes the same tables and rows."""
    return ExportOptions(**dict(base.manifest["options"], processes=processes))
