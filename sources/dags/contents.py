"""What the DAGs in this folder leave in a metadata database. They and the tests read it, so it needs no Airflow."""

from __future__ import annotations

import datetime

#: Text that trips a dump: NULL against empty, line ends, COPY's and CSV's own marks, quotes, letters beyond ASCII.
TEXTS = {
    "empty": "",
    "space": " ",
    "line_feed": "first\nsecond\n",
    "carriage_return": "first\r\nsecond\rthird",
    "tab": "left\tright",
    "backslash": "C:\\new\\table \\N \\t",
    "end_of_copy": "before\n\\.\nafter",
    "copy_null": "\\N",
    "quotes": "'single' \"double\" `back` $$dollar$$ ''twice''",
    "csv": 'a,"b ""c""",d;e',
    "beyond_ascii": "Ünïcödé ßtraße 日本語 العربية 🛫",
    "combining": "e\u0301 \u200b\ufeff",
    "control": "\x01\x07\x1b[31m\x7f",
    "braces": "{{ not a template }} %s %(name)s {0}",
    "looks_null": "NULL",
    "long": "0123456789abcdef" * 8192,
}

#: XComs of any version, by key.
XCOMS = {
    **TEXTS,
    "none": None,
    "true": True,
    "zero": 0,
    "big": 2**63,
    "float": 0.1,
    "list": [1, "two", None, ["three"]],
    "dict": {"naïve key": {"nested": [True, None, "a\nb"]}, "": ""},
}

#: XComs of 1.10, which pickles them, besides those above.
PICKLED_XCOMS = {
    "bytes": b"\x00\x01\xff\\N\n\\.\n",
    "tuple": (1, (2, "three")),
    "set": {1, 2, 3},
    "datetime": datetime.datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=datetime.timezone.utc),
}

#: What the manual runs of a DAG are triggered with, by their number.
CONFS = [{}, {"text": "line one\nline two", "quotes": "'\"", "path": "C:\\N", "🛫": [None, True, 1.5]}]

#: The DAG whose tasks never end, so that the history has unfinished ones.
UNFINISHED = "unfinished"

#: The states in which its tasks are when the source is taken, by task.
UNFINISHED_STATES = {
    "holds_the_pool": "running",
    "waits_for_the_pool": "scheduled",
    "waits_for_its_retry": "up_for_retry",
    "waits_for_its_next_poke": "up_for_reschedule",
    "waits_for_its_turn": None,
}


def manual_runs(version: tuple[int, ...]) -> dict[str, int]:
    """How many manual runs each DAG gets, by DAG id.

    `version` is a tuple such as (2, 10, 3), here and below.
    """
    runs = {"values": 1, "outcomes": 1, "branches": 2, "templates": 1, "paused_since": 1, UNFINISHED: 1}
    if version >= (2, 2):
        runs["deferred"] = 1
    if version >= (2, 3):
        runs["mapped"] = 1
    if version >= (2, 4):
        runs["produces"] = 1
    if version >= (2, 7):
        runs["setup_and_teardown"] = 1
    return runs


def runs(version: tuple[int, ...]) -> dict[str, int]:
    """How many runs each DAG has in the end, by DAG id: manual, scheduled and triggered by datasets."""
    expected = dict(manual_runs(version), daily=3)
    if version >= (2, 4):
        expected["consumes"] = 1
    return expected


def unfinished_states(version: tuple[int, ...]) -> dict[str, str | None]:
    """The states of the unfinished tasks, by task id."""
    if version >= (2, 2):
        return dict(UNFINISHED_STATES, waits_for_a_trigger="deferred")
    return UNFINISHED_STATES
