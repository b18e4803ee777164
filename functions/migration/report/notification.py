"""The notification of a report: a subject and plain text that a phone shows whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migration import wording
from migration.report import facts, judging

# SNS: at most 100 ASCII characters in a subject.
_SUBJECT = 100
# Of the link in the notification. It ends earlier with the credentials of the function that has signed it, which Lambda
# renews within twelve hours.
LINK_HOURS = 12
# What a notification says of findings; all of it is in the report.
_FINDINGS = 5
_TEXT = 500


def subject(report: Mapping[str, Any]) -> str:
    """The verdict in words, and of what: an execution that has SUCCEEDED may have found much that is wrong."""
    text = f"{judging.headline(report)}: {report['source']['environment']} -> {report['target']['environment']}"
    return text[:_SUBJECT]


def message(report: Mapping[str, Any], place: str, link: str) -> str:
    """The notification: plain text that a phone shows whole. `place` and `link` are empty where there is no file."""
    source, target = report["source"]["environment"], report["target"]["environment"]
    expected = "Downtime to expect" if facts.is_rehearsal(report) else "Downtime"
    rows = wording.counted(facts.total(report, "exported"), "row")
    lines = [
        judging.headline(report),
        f"{source} to {target}, {' -> '.join(report['path'])}",
        "",
        f"{expected}: {facts.downtime(report)}",
        f"{rows}, {'verified' if report['verified'] else 'not verified'}",
    ]
    found = [finding for finding in judging.judgements(report) if finding.level != judging.PASS]
    for finding in found[:_FINDINGS]:
        lines += ["", f"{finding.level.upper()}: {finding.title}"]
        lines += [wording.cut(text, _TEXT) for text in (finding.message, finding.remedy) if text]
    if len(found) > _FINDINGS:
        lines += ["", f"{len(found) - _FINDINGS} more in the report"]
    if not place:
        return "\n".join([*lines, "", "The exchange bucket did not take the report; it is in the function's log."])
    # The link last: it is long, and what stands below it would not be seen.
    return "\n".join([*lines, "", f"Report: {place}", f"Open it (for {LINK_HOURS} hours at most):", link])
