"""Python values as source, to be put into a file that ruff then formats."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .periods import Period

_LINE_LENGTH = 100


class FormatterFailed(Exception):
    """ruff could not format what was written; the message ends with what it printed."""


@dataclass(frozen=True)
class Code:
    """Source that is written as it is; `imports` are the names that it needs, with their modules."""

    source: str
    imports: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Output:
    """What another task returns; the call of a function is that itself."""

    task: str
    of_function: bool = False


@dataclass(frozen=True)
class Call:
    """A call of an imported name with keyword arguments."""

    module: str
    name: str
    arguments: Mapping[str, Any]


def source(value: Any) -> str:
    """A value as an expression."""
    if isinstance(value, Code):
        return value.source
    if isinstance(value, Output):
        return value.task if value.of_function else f"{value.task}.output"
    if isinstance(value, Call):
        arguments = ", ".join(f"{name}={source(item)}" for name, item in value.arguments.items())
        return f"{value.name}({arguments})"
    if isinstance(value, Period):
        return _timedelta(value)
    if isinstance(value, datetime):
        parts = [value.year, value.month, value.day, value.hour, value.minute, value.second]
        while len(parts) > 3 and not parts[-1]:
            parts.pop()
        return f'pendulum.datetime({", ".join(map(str, parts))}, tz="UTC")'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{source(key)}: {source(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(source(item) for item in value) + "]"
    if isinstance(value, tuple):
        return "(" + "".join(f"{source(item)}, " for item in value) + ")"
    if isinstance(value, str) and "\n" in value:
        return _lines(value)
    return repr(value)


def imports(value: Any) -> Iterator[tuple[str, str]]:
    """The modules and names that a value's source needs."""
    for item in _parts(value):
        if isinstance(item, Code):
            yield from item.imports
        elif isinstance(item, Call):
            yield item.module, item.name
        elif isinstance(item, Period):
            yield (
                "dateutil.relativedelta" if item.is_calendar else "datetime",
                ("relativedelta" if item.is_calendar else "timedelta"),
            )
        elif isinstance(item, datetime):
            yield "", "pendulum"


def outputs(value: Any) -> Iterator[str]:
    """The tasks whose output a value has."""
    for item in _parts(value):
        if isinstance(item, Output):
            yield item.task


def strings(value: Any) -> Iterator[str]:
    """The texts in a value."""
    for item in _parts(value):
        if isinstance(item, str):
            yield item
        elif isinstance(item, Code):
            yield item.source


def formatted(text: str) -> str:
    """Source as ruff formats it.

    Raises:
        FormatterFailed: it is no Python.
    """
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", str(_LINE_LENGTH), "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FormatterFailed(f"ruff could not format the DAG: {done.stderr.strip()}")
    return done.stdout


def _parts(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _parts(key)
            yield from _parts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _parts(item)
    elif isinstance(value, Call):
        yield from _parts(value.arguments)


def _timedelta(period: Period) -> str:
    ((unit, count),) = period.keywords.items()
    return f"{'relativedelta' if period.is_calendar else 'timedelta'}({unit}={count})"


def _lines(text: str) -> str:
    """A text of several lines as a string of several lines, where that shows every character."""
    plain = text.replace("\n", "")
    if '"""' in text or "\\" in text or not plain.isprintable() or text.endswith('"'):
        return repr(text)
    return f'"""{text}"""'
