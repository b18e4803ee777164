"""What was not audited is not called safe."""

from __future__ import annotations

from typing import Any

import pytest

from tools.audit import judged

SAFE = {"name": "jinja2", "version": "3.1.6", "vulns": []}
UNSAFE = {"name": "urllib3", "version": "1.26.4", "vulns": [{"id": "PYSEC-2021-108", "fix_versions": ["1.26.5"]}]}
UNKNOWN = {"name": "ours", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("dependencies", "vulnerable", "text"),
    [
        ([SAFE], False, "a.txt: 1 packages audited, 0 known vulnerabilities"),
        (
            [SAFE, UNSAFE],
            True,
            "a.txt: 2 packages audited, 1 known vulnerabilities\nurllib3 1.26.4: PYSEC-2021-108, fixed in 1.26.5",
        ),
        (
            [SAFE, UNKNOWN],
            False,
            "a.txt: 1 packages audited, 0 known vulnerabilities\na.txt: not audited, unknown to the index: ours",
        ),
        ([UNKNOWN], False, "a.txt: NOT AUDITED, the package index has no advisories"),
        ([], False, "a.txt: NOT AUDITED, the package index has no advisories"),
    ],
    ids=["safe", "vulnerable", "one unknown", "all unknown", "no answer"],
)
def test_what_is_said_of_a_lock_file(dependencies: list[dict[str, Any]], vulnerable: bool, text: str) -> None:
    assert judged("a.txt", dependencies) == (text, vulnerable)
