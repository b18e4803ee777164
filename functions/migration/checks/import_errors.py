"""Reads Airflow's import errors: which file, what is wrong with it, and what to do about it.

A trace is Python's, cut by Airflow to its last frames (`core.dagbag_import_error_traceback_depth`); its text comes
from the user's code and can be anything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from migration import wording
from migration.airflow import versions

#: Where Amazon MWAA has the DAG folder.
_FOLDER = "/usr/local/airflow/dags/"
# How much of each a report shows: the end, which says what is wrong.
_TRACE, _MESSAGE = 2000, 500

_FRAME = re.compile(r'^\s+File "(?P<file>[^"\n]+)", line (?P<line>\d+)', re.MULTILINE)
_EXCEPTION = re.compile(r"(?P<kind>[A-Za-z_][\w.]*)(?:: (?P<text>.*))?\Z", re.DOTALL)
_MODULE = re.compile(r"No module named '(?P<module>[^']+)'")
_NAME = re.compile(r"cannot import name '(?P<name>[^']+)' from (?:partially initialized module )?'(?P<module>[^']+)'")
_ARGUMENT = re.compile(r"unexpected keyword argument '(?P<name>\w+)'")
# What Airflow says of a variable or a connection that it finds nowhere: models/variable.py and models/connection.py of
# 1.10.12 to 3.3.1, and from 3.0 on the Task SDK's AirflowRuntimeError, which has a `key` or `conn_id`, or a message.
_NOT_DEFINED = {
    "variables": re.compile(
        r"\bVariable (?P<name>.+?) (?:does not exist|not found)\b|\bVARIABLE_NOT_FOUND: \{'key': '(?P<key>[^']+)'"
    ),
    "connections": re.compile(
        r"\bThe conn_id `(?P<name>.+?)` isn't defined|\bCONNECTION_NOT_FOUND: \{'conn_id': '(?P<key>[^']+)'"
    ),
}
_OF_VALUES = ("ValueError", "KeyError", "IndexError", "JSONDecodeError")
_ARGUMENTS = re.compile(r"Invalid arguments were:\s*\*\*kwargs: \{'(?P<name>\w+)'")

# Whole packages that were moved (Airflow's release notes of 2.0 and 3.0).
_STANDARD = "airflow.providers.standard, of apache-airflow-providers-standard"
_MOVED = {
    "airflow.contrib": "the provider of that service, airflow.providers.<name>",
    "airflow.operators": _STANDARD,
    "airflow.sensors": _STANDARD,
    "airflow.hooks": _STANDARD,
}
_RENAMED_ARGUMENTS = {
    "schedule_interval": "schedule",
    "timetable": "schedule",
    "concurrency": "max_active_tasks",
    "task_concurrency": "max_active_tis_per_dag",
    "execution_date": "logical_date",
}


class BrokenFile(NamedTuple):
    """A file that cannot be imported.

    `file` is the DAG file and `place` the file to repair, which may be a module that it imports: both below the DAG
    folder. `line` counts from 1, in `place`; None where no frame of the trace is in the DAG folder. `lacks` is the
    setting that it asks for in vain: `variables` or `connections`, and its name. `is_of_value`: the error is one that a
    default may have caused where a variable is not there, as `int(None)` or `json.loads("")`.
    """

    file: str
    place: str
    line: int | None
    message: str
    remedy: str
    trace: str
    lacks: tuple[str, str] | None
    is_of_value: bool = False


def read(rows: Iterable[Mapping[str, Any]], names: Collection[str], airflow_version: str) -> list[BrokenFile]:
    """The rows of `dags list-import-errors`, in the order of their files.

    `names` are those of the objects below the target's DAG folder; `filepath` is a whole path on 2.x and one below the
    folder on 3.x.
    """
    traces = [(str(row.get("filepath") or ""), str(row.get("error") or "")) for row in rows]
    known = frozenset(names)
    root = _root(traces, known)
    return sorted(_broken(path, trace, root, known, airflow_version) for path, trace in traces)


def below_folder(path: str, names: Collection[str]) -> str:
    """A DAG's file as a path below the DAG folder; `names` are the objects there."""
    return path.removeprefix(_root([(path, "")], frozenset(names)))


def _broken(path: str, trace: str, root: str, names: frozenset[str], airflow_version: str) -> BrokenFile:
    file = path.removeprefix(root)
    place, line = file, None
    for frame in _FRAME.finditer(trace):
        if frame["file"].startswith(root) or frame["file"] == path:
            place, line = frame["file"].removeprefix(root), int(frame["line"])
    kind, text = exception_of(trace)
    message = wording.cut(f"{kind}: {text}" if kind and text else kind or text, _MESSAGE)
    if place != file:
        message = f"{message} (imported by {file})"
    advice = remedy(kind, text, names, airflow_version)
    cut = wording.cut(trace.strip(), _TRACE)
    return BrokenFile(file, place, line, message, advice, cut, not_defined(kind, text), is_of_value(kind, text))


def not_defined(kind: str, text: str) -> tuple[str, str] | None:
    """The variable or the connection that an exception says is not defined; None where it says something else."""
    if kind not in ("KeyError", "AirflowNotFoundException", "AirflowException", "AirflowRuntimeError"):
        return None
    for settings, sign in _NOT_DEFINED.items():
        if (found := sign.search(text)) is not None:
            return settings, found["name"] or found["key"]
    return None


def is_of_value(kind: str, text: str) -> bool:
    """Whether an exception can come from a value that is None or empty. Airflow's versions seldom cause those."""
    return kind in _OF_VALUES or (kind in ("TypeError", "AttributeError") and "NoneType" in text)


def exception_of(trace: str) -> tuple[str, str]:
    """The exception's name and its message, from the end of a trace; an empty name where the text is no trace."""
    lines = trace.strip().splitlines()
    last = max((number for number, line in enumerate(lines) if _FRAME.match(line)), default=-1)
    # After a frame come its code and its marks, indented; then the exception, whose message may have several lines.
    end = next((number for number in range(last + 1, len(lines)) if lines[number][:1].strip()), len(lines))
    said = "\n".join(lines[end:])
    found = _EXCEPTION.match(said)
    return (found["kind"].rsplit(".", 1)[-1], found["text"] or "") if found else ("", said)


def remedy(kind: str, text: str, names: Collection[str], airflow_version: str) -> str:
    """What to do about an exception of a DAG file's import."""
    if (module := _MODULE.search(text)) is not None:
        return _for_module(module["module"], names, airflow_version)
    if (name := _NAME.search(text)) is not None:
        if name["module"].split(".")[0] == "airflow":
            return (
                f"Airflow {airflow_version} has no {name['name']} in {name['module']}: it was moved or removed. "
                f"{_new_place(name['module'], airflow_version)}"
            )
        return (
            f"The package of {name['module']} has another version here, by the constraints of Airflow "
            f"{airflow_version}. Import what that version has, or pin another one in requirements.txt."
        )
    if (argument := _ARGUMENT.search(text) or _ARGUMENTS.search(text)) is not None:
        new = _RENAMED_ARGUMENTS.get(argument["name"])
        instead = f"Use {new}." if new else "Leave it out, or look for what has replaced it."
        return f"{argument['name']} is no argument in Airflow {airflow_version}. {instead}"
    if not_defined(kind, text) is not None:
        return _NOT_FOUND.format(version=airflow_version)
    for sign, advice in _ADVICE.items():
        if sign in kind:
            return advice.format(version=airflow_version)
    return f"Correct the file for Airflow {airflow_version}; its DAGs do not run until then."


_NOT_FOUND = (
    "It asks for a connection or a variable while it is imported: make sure that Airflow {version} finds it there, or "
    "ask for it inside a task."
)
_ADVICE = {
    "SyntaxError": "Correct the line for the Python of Airflow {version}.",
    "IndentationError": "Correct the line's indentation.",
    "TabError": "Correct the line's indentation.",
    "Timeout": "Do less while the file is imported, or give it longer with core.dagbag_import_timeout.",
    "DuplicatedId": "Another file defines a DAG of this id: give one of them another.",
    "NotFound": _NOT_FOUND,
}


def _for_module(module: str, names: Collection[str], airflow_version: str) -> str:
    top, _, rest = module.partition(".")
    if top == "airflow" and rest.startswith("providers"):
        return f"Add the provider to requirements.txt: {module} is of apache-airflow-providers-{_provider(rest)}."
    if top == "airflow":
        new_place = _new_place(module, airflow_version)
        return f"Airflow {airflow_version} has no module {module}: it was moved or removed. {new_place}"
    if any(name == f"{top}.py" or name.startswith(f"{top}/") for name in names):
        return (
            f"{top} lies in the DAG folder, but it has no module {module} that can be imported: compare its name and "
            "its path with the import."
        )
    return (
        f"Add the package that has the module {top} to requirements.txt, in a version that the constraints of Airflow "
        f"{airflow_version} allow. Where the source had it without a requirement, the image or plugins.zip brought it."
    )


def _provider(rest: str) -> str:
    """`providers.cncf.kubernetes.operators` -> `cncf-kubernetes`: what comes before the kind of module."""
    parts = rest.split(".")[1:]
    kinds = (
        "hooks",
        "operators",
        "sensors",
        "transfers",
        "secrets",
        "triggers",
        "utils",
        "decorators",
        "notifications",
    )
    until = next((number for number, part in enumerate(parts) if part in kinds), len(parts))
    return "-".join(parts[:until]) or "<name>"


def _new_place(module: str, airflow_version: str) -> str:
    old = ".".join(module.split(".")[:2])
    if old in _MOVED and (old == "airflow.contrib" or versions.parse(airflow_version).major >= 3):
        return f"Import it from {_MOVED[old]}."
    return "Look it up in Airflow's release notes, and import it from its new place."


def _root(traces: Iterable[tuple[str, str]], names: frozenset[str]) -> str:
    """The DAG folder in the environment, with a slash at its end: what stands before the names that S3 has."""
    found = Counter(root for path, trace in traces for root in _roots(path, trace, names))
    return found.most_common(1)[0][0] if found else _FOLDER


def _roots(path: str, trace: str, names: frozenset[str]) -> Iterator[str]:
    if path.startswith("/"):
        parts = path.split("/")
        # The longest name first: a/b.py is not b.py.
        for number in range(1, len(parts)):
            name = "/".join(parts[number:])
            if name in names:
                yield path.removesuffix(name)
                return
    else:
        for frame in _FRAME.finditer(trace):
            if frame["file"].endswith(f"/{path}"):
                yield frame["file"].removesuffix(path)
                return
