"""What artifacts hold, compared; and an import of one, with its proof."""

from __future__ import annotations

import gzip
import json
import re
import struct
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from mwaa_migrator.postgres.copy_text import parse_row

from sources import FERNET_KEY
from sources.deployment import Deployment


def require_same(
    artifact: Path, of_postgresql: Path, single_precision: bool = False, whole_seconds: Collection[str] = ()
) -> None:
    """The tables, and each value of each row.

    Args:
        single_precision: whether fractions count with the digits only that four bytes have, as in MySQL's FLOAT.
        whole_seconds: columns whose times are compared without their fraction, which the source does not keep.
    """
    manifest = json.loads((of_postgresql / "manifest.json").read_text())
    # Of 1.10's table of users, which no import fills.
    left_out = manifest["constraints_left_out"]
    assert _schema(artifact, left_out) == _schema(of_postgresql, left_out)
    ours, theirs = (_rows(one, single_precision, whole_seconds) for one in (artifact, of_postgresql))
    assert ours.keys() == theirs.keys()
    for table in theirs:
        assert ours[table] == theirs[table], table


def _schema(artifact: Path, left_out: list[str]) -> dict[str, Any]:
    tables = json.loads((artifact / "schema.json").read_text())["tables"]
    for table in tables:
        table["constraints"] = [one for one in table["constraints"] if one["name"] not in left_out]
    return {table["name"]: table for table in tables}


def _rows(artifact: Path, single_precision: bool, whole_seconds: Collection[str]) -> dict[str, Any]:
    """The columns of each table, and how often each row is there."""
    manifest = json.loads((artifact / "manifest.json").read_text())
    found: dict[str, Any] = {}
    for name, entry in manifest["tables"].items():
        lines = [
            parse_row(line)
            for part in entry["parts"]
            for line in gzip.decompress((artifact / part["name"]).read_bytes()).decode().split("\n")[:-1]
        ]
        found[name] = (
            entry["columns"],
            Counter(
                tuple(
                    _plain(value.partition(".")[0] if value and column in whole_seconds else value, single_precision)
                    for column, value in zip(entry["columns"], line, strict=True)
                )
                for line in lines
            ),
        )
    return found


def _plain(value: str | None, single_precision: bool) -> str | None:
    """A value without what says nothing: zeros at the end of a fraction."""
    found = re.fullmatch(r"(.*?\d)(\.\d+)?(\+00)?", value or "")
    if not found or not re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|-?\d+)", found[1]):
        return value
    if single_precision and found[2] and found[1].lstrip("-").isdigit():
        return repr(struct.unpack("f", struct.pack("f", float(str(value))))[0])
    return found[1] + (found[2] or "").rstrip("0").rstrip(".")


def import_and_verify(artifact: Path, target: Deployment) -> None:
    target = target.having(fernet_key=FERNET_KEY)
    imported = target.succeed("import", "--from", str(artifact))
    assert target.succeed("verify", "--from", str(artifact))["verified"]
    runs = imported["tables"]["dag_run"]
    assert target.value("select count(*) from dag_run") == runs["merged"] > 0
    assert runs["merged"] + runs["set_aside"] == runs["exported"]
