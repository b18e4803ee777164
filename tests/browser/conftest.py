"""The tests that need a browser. Where there is none they are not collected, and the end of the run says so."""

from __future__ import annotations

import pytest

from tools import chromium

BROWSER = chromium.installed()

collect_ignore = [] if BROWSER else ["test_report_page.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if BROWSER is None:
        terminalreporter.write_line(
            "tests/browser did not run: there is no Chromium (on Debian, `apt-get install chromium`).",
            yellow=True,
        )
