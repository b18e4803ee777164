"""The options of an export and of an import: their defaults, what they take, and their flags on the command line.

A DAG run's conf gives them by name. ``input.schema.json`` of the state machine has the same options for its users; a
test holds both equal.
"""

from __future__ import annotations

import os
import re
from typing import Any, Callable, Mapping, NamedTuple, Sequence

#: Each copying process holds a connection of the metadata database.
MOST_JOBS = 16

KEEP, OVERWRITE, FAIL = "keep", "overwrite", "fail"

#: The pause states after an import: as the target has them; as the source had them; all of the source's DAGs paused.
KEEP_STATES, SOURCE_STATES, ALL_PAUSED = "keep", "source", "all-paused"

#: What the drain does if tasks still run at its end: put the DAGs back; leave the tasks unfinished; wait on.
FAIL_DRAIN, ABANDON, WAIT = "fail", "abandon", "wait"

#: Kinds of rows that Airflow's migrations do not take (airflow_schema.migration_rules), to be set aside.
DUPLICATES, NULLS, VALUES = "duplicates", "nulls", "values"

#: Pickled XComs on the way to Airflow 3: read and written as its JSON; left to its migrations, which archive them.
CONVERT, ARCHIVE = "convert", "archive"
#: Where the work of a task of Airflow 3 is done: in a process of its own; beside a scheduler that has our plugin; or
#: there only if the worker has no way into the database.
WORKER, PLUGIN, AUTO = "worker", "plugin", "auto"

#: History of all DAGs.
ALL_DAGS = ".*"


class Values(NamedTuple):
    """What an option takes: in words, as a condition, and read from an argument of the command line."""

    words: str
    accept: Callable[[Any], bool]
    parse: Callable[[str], Any] = str
    choices: Sequence[str] | None = None


def _whole_number(words: str, least: int, most: int | None = None) -> Values:
    def accept(value: Any) -> bool:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return is_number and value >= least and (most is None or value <= most)

    return Values(words, accept, lambda text: int(text) if text.isdecimal() else None)


def _one_of(*choices: str) -> Values:
    words = ", ".join(choices[:-1]) + " or " + choices[-1]
    return Values(words, lambda value: isinstance(value, str) and value in choices, choices=choices)


def _some_of(*choices: str) -> Values:
    words = "a list of " + ", ".join(choices[:-1]) + " and " + choices[-1]
    return Values(words, lambda value: _are_names(value) and not set(value) - set(choices), _parse_names)


def _is_version(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"\d+\.\d+\.\d+", value) is not None


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _parse_names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


_DAYS = _whole_number("a number of days, 1 or more", 1)
_JOBS = _whole_number(f"a number from 1 to {MOST_JOBS}", 1, MOST_JOBS)
_SECONDS = _whole_number("a number of seconds, 0 to 86400", 0, 86400)
_TABLES = Values("a list of tables", _are_names, _parse_names)
_EXPRESSION = Values("a regular expression", lambda value: isinstance(value, str))
_VERSION = Values("a version such as 2.11.2", _is_version)
_ARTIFACT = Values("the URL of an artifact's folder", lambda value: isinstance(value, str) and value != "")
SWITCH = Values("true or false", lambda value: isinstance(value, bool))


class Option(NamedTuple):
    """An option whose default is None takes None as well. Without a ``flag`` only a DAG run's conf gives it."""

    default: Any
    values: Values
    flag: str | None = None
    metavar: str | None = None
    help: str | None = None

    @property
    def words(self) -> str:
        return ("null or " if self.default is None else "") + self.values.words

    def accepts(self, value: Any) -> bool:
        return (value is None and self.default is None) or self.values.accept(value)


def default_processes() -> int:
    """As many as there are cores, from 2 to 4: a worker of MWAA has 1 to 8 vCPUs and other work to do."""
    return max(2, min(4, os.cpu_count() or 1))


_PROCESSES = Option(None, _JOBS, "--jobs", "N", "copying processes (default: 2 to 4, by cores)")

EXPORT_OPTIONS: Mapping[str, Option] = {
    "historyDays": Option(None, _DAYS, "--days", "N", "history of the last N days only (default: all)"),
    "dags": Option(ALL_DAGS, _EXPRESSION, "--dags", "REGEX", "history of DAGs whose whole id matches (default: all)"),
    "xcoms": Option(True, SWITCH),
    "tables": Option(None, _TABLES, "--tables", "A,B", "these tables only"),
    "excludeTables": Option([], _TABLES, "--exclude-tables", "C", "all but the rows of these tables"),
    "jobs": _PROCESSES,
    "skipUndecryptable": Option(
        False,
        SWITCH,
        "--skip-undecryptable",
        help="leave out variables and connections that this Airflow's Fernet key does not decrypt",
    ),
    "setAside": Option(
        [],
        _some_of(DUPLICATES, NULLS, VALUES),
        "--set-aside",
        "KIND,...",
        "leave out rows that Airflow's migrations do not take: duplicates, nulls, values",
    ),
    "targetVersion": Option(
        None,
        _VERSION,
        "--target-version",
        "V",
        "the Airflow that the rows will end in: 3.x also refuses what its own migrations do not take (default: 2.x)",
    ),
    "probe": Option(False, SWITCH),
    "asBase": Option(False, SWITCH),
    "deltaOf": Option(None, _ARTIFACT),
    "quiesce": Option(False, SWITCH),
    "drainSeconds": Option(900, _SECONDS),
    "drainPolicy": Option(FAIL_DRAIN, _one_of(FAIL_DRAIN, ABANDON, WAIT)),
}

#: A check takes the options that choose an export's rows.
CHECK_OPTIONS: Mapping[str, Option] = {
    name: option for name, option in EXPORT_OPTIONS.items() if option.flag not in (None, "--jobs")
}

IMPORT_OPTIONS: Mapping[str, Option] = {
    "onConflict": Option(
        KEEP,
        _one_of(KEEP, OVERWRITE, FAIL),
        "--on-conflict",
        help="what to do about rows that the target has with other content (default: keep the target's)",
    ),
    "pauseState": Option(
        KEEP_STATES,
        _one_of(KEEP_STATES, SOURCE_STATES, ALL_PAUSED),
        "--pause-state",
        help="which DAGs are paused afterwards (default: as the target has it)",
    ),
    "pickledXComs": Option(
        CONVERT,
        _one_of(CONVERT, ARCHIVE),
        "--pickled-xcoms",
        help="what becomes of pickled XComs at Airflow 3: its JSON where they are plain (default), or an archive",
    ),
    "jobs": _PROCESSES,
    "probe": Option(False, SWITCH),
    "cutOver": Option(False, SWITCH),
    "dagVersions": Option(False, SWITCH),
    "hopVersion": Option(None, _VERSION),
    "wayIn": Option(WORKER, _one_of(AUTO, WORKER, PLUGIN)),
}

HOP_OPTIONS: Mapping[str, Option] = {"pickledXComs": IMPORT_OPTIONS["pickledXComs"]}

VERIFY_OPTIONS: Mapping[str, Option] = {"jobs": _PROCESSES}
