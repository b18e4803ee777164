"""Reports progress: a line for each phase and each table, as text or as JSON."""

from __future__ import annotations

import json
import logging
import sys
import time
from contextlib import contextmanager
from typing import Any, Iterator, TextIO

_log = logging.getLogger("mwaa_migrator")


class Progress:
    """Lines go to ``stream``, as JSON objects if ``as_json``, or to the task's log if there is no stream.

    ``phases`` lists the finished phases: ``{"name", "seconds"}``.
    """

    def __init__(self, stream: TextIO | None = None, as_json: bool = False) -> None:
        self.phases: list[dict[str, Any]] = []
        self._stream = stream
        self._json = as_json

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._write({"phase": name, "event": "started"}, f"{name}: started")
        begun = time.monotonic()
        yield
        seconds = round(time.monotonic() - begun, 3)
        self.phases.append({"name": name, "seconds": seconds})
        self._write({"phase": name, "event": "finished", "seconds": seconds}, f"{name}: {seconds:.1f} s")

    def table(self, phase: str, table: str, rows: int, seconds: float, size: int | None = None, note: str = "") -> None:
        rate = rows / seconds if seconds > 0 else 0.0
        record = {"phase": phase, "table": table, "rows": rows, "bytes": size, "rows_per_second": round(rate)}
        text = f"{phase}: {table}: {rows:,} rows"
        if size is not None:
            text += f", {size:,} bytes"
        text += f", {rate:,.0f} rows/s"
        if note:
            record["note"] = note
            text += f" ({note})"
        self._write(record, text)

    def say(self, text: str) -> None:
        self._write({"message": text}, text)

    def _write(self, record: dict[str, Any], text: str) -> None:
        line = json.dumps(record, sort_keys=True) if self._json else text
        if self._stream is None:
            _log.info(line)
        else:
            self._stream.write(line + "\n")
            self._stream.flush()


def on_terminal(as_json: bool) -> Progress:
    """On standard error; standard output is for the result."""
    return Progress(sys.stderr, as_json)
