"""Known vulnerabilities of what is locked: `make audit`.

pip-audit asks the package index for advisories and succeeds when the index knows none of the packages, as many a mirror
does. This says so instead: what was not audited is not called safe.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# What is deployed, and what development runs. The old Airflow versions are known to be vulnerable (SECURITY.md).
LOCKED = ("functions/requirements.txt", "layers/ruff/requirements.txt", "requirements/dev.txt")


def main() -> int:
    found = False
    for file in LOCKED:
        dependencies = _audit(file)
        text, vulnerable = judged(file, dependencies)
        found = found or vulnerable
        sys.stdout.write(f"{text}\n")
    return 1 if found else 0


def judged(file: str, dependencies: list[dict[str, Any]]) -> tuple[str, bool]:
    """What to say of a lock file, and whether something in it is known to be vulnerable.

    Args:
        dependencies: those of pip-audit's JSON: `name`, and `version` with `vulns`, or `skip_reason`.
    """
    advisories = [_line(item, advisory) for item in dependencies for advisory in item.get("vulns", [])]
    skipped = [item["name"] for item in dependencies if "skip_reason" in item]
    if len(skipped) == len(dependencies):
        return f"{file}: NOT AUDITED, the package index has no advisories", False
    audited = f"{file}: {len(dependencies) - len(skipped)} packages audited, {len(advisories)} known vulnerabilities"
    unknown = [f"{file}: not audited, unknown to the index: {', '.join(skipped)}"] if skipped else []
    return "\n".join([audited, *advisories, *unknown]), bool(advisories)


def _line(package: dict[str, Any], advisory: dict[str, Any]) -> str:
    fixed = ", ".join(advisory["fix_versions"]) or "no release"
    return f"{package['name']} {package['version']}: {advisory['id']}, fixed in {fixed}"


def _audit(file: str) -> list[dict[str, Any]]:
    """Nothing, where the index cannot be asked."""
    program = Path(sys.executable).parent / "pip-audit"
    command = [str(program), "--require-hashes", "--disable-pip", "--format", "json", "--requirement", file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        sys.stderr.write(done.stderr)
        return []
    return found


if __name__ == "__main__":
    sys.exit(main())
