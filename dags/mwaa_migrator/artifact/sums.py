"""Sums by unit, as a base and a delta record them, and what has changed from one to the other.

The sums of a table are parts of COPY text, a line for each unit: what it is known by, how many rows it has, and the sum
of their hashes. Equal lines are equal units, so two records are compared line by line, whatever their order.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Collection, Dict, Iterable, Iterator, List, Set, Tuple

from mwaa_migrator.airflow_schema.tables import RUN_TABLE
from mwaa_migrator.airflow_schema.units import BLOCK, ROW, RUN
from mwaa_migrator.artifact.artifact import Artifact
from mwaa_migrator.artifact.manifest import CHANGES
from mwaa_migrator.artifact.parts import BLOCK_BYTES, PartReader
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import ArtifactDamaged, NotABase
from mwaa_migrator.postgres.checksums import Checksum
from mwaa_migrator.postgres.copy_text import format_row, parse_row

#: What a unit is known by; a block by its number, as text.
Key = Tuple[str, ...]


@dataclass(frozen=True)
class Changes:
    """The units in which two records of sums differ.

    ``runs`` are those of which any row of any table was inserted, updated or deleted, ``gone_runs`` those of them that
    are no more. ``blocks`` and ``rows`` are by table; ``rows`` has the identities, and ``gone_rows`` those of them that
    are no more. ``tables`` counts the units that differ, by table.
    """

    runs: Set[Key] = field(default_factory=set)
    gone_runs: Set[Key] = field(default_factory=set)
    blocks: Dict[str, Set[Key]] = field(default_factory=dict)
    rows: Dict[str, Set[Key]] = field(default_factory=dict)
    gone_rows: Dict[str, Set[Key]] = field(default_factory=dict)
    tables: Dict[str, int] = field(default_factory=dict)

    def counts(self) -> Dict[str, Any]:
        """How many runs and, by table, units differ."""
        return {"runs": len(self.runs), "gone_runs": len(self.gone_runs), "tables": self.tables}

    def as_json(self) -> Dict[str, Any]:
        return {
            "runs": sorted(self.runs),
            "gone_runs": sorted(self.gone_runs),
            "blocks": {table: sorted(keys) for table, keys in self.blocks.items()},
            "rows": {table: sorted(keys) for table, keys in self.rows.items()},
            "gone_rows": {table: sorted(keys) for table, keys in self.gone_rows.items()},
            "tables": self.tables,
        }


def write_changes(storage: Storage, changes: Changes) -> str:
    """Returns the SHA-256 of what was written, for the manifest."""
    content = json.dumps(changes.as_json(), sort_keys=True).encode("utf-8")
    storage.write_bytes(CHANGES, content)
    return hashlib.sha256(content).hexdigest()


def read_changes(artifact: Artifact) -> Changes:
    """Those that a delta was made for; raises ArtifactDamaged unless they are what the export wrote."""
    place = f"{artifact.storage.url}/{CHANGES}"
    if artifact.storage.size(CHANGES) is None:
        raise ArtifactDamaged(f"{place} is missing. Nothing was merged; export again.")
    content = artifact.storage.read_bytes(CHANGES)
    if hashlib.sha256(content).hexdigest() != artifact.manifest["changes_sha256"]:
        raise ArtifactDamaged(f"{place} is not what the export wrote. Nothing was merged; export again.")
    found = json.loads(content.decode("utf-8"))
    return Changes(
        _keys(found["runs"]),
        _keys(found["gone_runs"]),
        *({table: _keys(keys) for table, keys in found[name].items()} for name in ("blocks", "rows", "gone_rows")),
        found["tables"],
    )


def _keys(keys: Iterable[List[str]]) -> Set[Key]:
    return {tuple(key) for key in keys}


def recorded_sums(artifact: Artifact) -> Dict[str, Any]:
    """``{"algorithm", "tables"}`` of the manifest; raises NotABase if there are none."""
    sums = artifact.manifest.get("sums")
    if sums is None:
        message = "{} has no sums by run, so nothing can be compared with it. Export with --as-base, and import that."
        raise NotABase(message.format(artifact.storage.url))
    return dict(sums)


def compare_sums(before: Tuple[Storage, Dict[str, Any]], after: Tuple[Storage, Dict[str, Any]]) -> Changes:
    """What differs between two records of the same tables: the place of each, and ``tables`` of its manifest's sums.

    Raises ArtifactDamaged.
    """
    changes = Changes()
    for table, entry in after[1].items():
        old, new = (set(_lines(place, sums[table])) for place, sums in (before, after))
        then, now = _units(old - new, entry), _units(new - old, entry)
        if not then and not now:
            continue
        changes.tables[table] = len(then | now)
        if entry["unit"] == RUN:
            changes.runs.update(then | now)
            if table == RUN_TABLE:
                changes.gone_runs.update(then - now)
        elif entry["unit"] == BLOCK:
            changes.blocks[table] = then | now
        else:
            assert entry["unit"] == ROW
            changes.rows[table], changes.gone_rows[table] = then | now, then - now
    return changes


def total(storage: Storage, entry: Dict[str, Any], units: Collection[Key] | None = None) -> Checksum:
    """The checksum of all rows of some units of a table, or of all its units. Raises ArtifactDamaged."""
    chosen = None if units is None else {format_row(list(unit)).encode("utf-8") for unit in units}
    rows = value = 0
    for line in _lines(storage, entry):
        unit, rows_of_unit, of_unit = line.rsplit(b"\t", 2)
        if chosen is None or unit in chosen:
            rows += int(rows_of_unit)
            value += int(of_unit)
    return Checksum(rows, str(value))


def _units(lines: Iterable[bytes], entry: Dict[str, Any]) -> Set[Key]:
    values = (parse_row(line.decode("utf-8")) for line in lines)
    return {tuple(str(value) for value in row[: len(entry["columns"])]) for row in values}


def _lines(storage: Storage, entry: Dict[str, Any]) -> Iterator[bytes]:
    for part in entry["parts"]:
        reader = PartReader(storage, part)
        try:
            rest = b""
            while True:
                block = reader.read(BLOCK_BYTES)
                if not block:
                    break
                *lines, rest = (rest + block).split(b"\n")
                yield from lines
        finally:
            reader.close()
