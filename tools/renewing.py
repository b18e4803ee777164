"""Keeps generated files as they would be made today."""

from __future__ import annotations

import sys
from pathlib import Path

from local.installations.folders import ROOT


def renew(file: Path, text: str) -> None:
    """Writes a file of the repository, and says so, unless it has that text already."""
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{file.relative_to(ROOT)}: renewed\n")
