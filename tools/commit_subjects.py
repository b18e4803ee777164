"""Refuses commit subjects of more than 72 characters, which most tools cut off.

As a commit-msg hook it gets the file of the message. With `-` it reads one subject a line:
`git log --no-merges --format=%s main.. | python -m tools.commit_subjects -`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

MOST = 72


def too_long(subjects: Iterable[str]) -> list[str]:
    return [subject for subject in subjects if len(subject) > MOST]


def main() -> int:
    if sys.argv[1:] == ["-"]:
        subjects = sys.stdin.read().splitlines()
    else:
        subjects = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()[:1]
    found = too_long(subjects)
    for subject in found:
        sys.stderr.write(f"{len(subject)} characters, {MOST} at most; the rest belongs in the body: {subject}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
