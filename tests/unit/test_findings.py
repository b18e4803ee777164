"""Security findings of bandit's; an argued exception stands beside the line that it is of."""

from __future__ import annotations

import subprocess
from pathlib import Path


def test_there_is_no_security_finding() -> None:
    found = subprocess.run(
        ["make", "--silent", "findings"], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout
