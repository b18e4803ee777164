"""What a check says of the time and the disk that a migration will take, and the settings that it names."""

from __future__ import annotations

from typing import Dict

#: Measured with 10 million rows on 2 cores (docs/benchmarks.md, a large source), and what each command takes at least.
_SECONDS_PER_MILLION_ROWS = {"export": 7, "import": 28, "verify": 17}
_LEAST_SECONDS = {"export": 5, "import": 15, "verify": 10}

#: While an import or a verify runs, the target has the rows and their indexes twice: in the scratch schema and merged.
_COPIES_IN_TARGET = 2

#: What DAG files ask for by name while they are parsed, and the column that has the names.
NAMED_SETTINGS = {"variable": "key", "connection": "conn_id"}


def estimate(tables: Dict[str, Dict[str, int]]) -> Dict[str, int]:
    rows = sum(table["rows"] for table in tables.values())
    seconds = {
        f"{command}_seconds": _LEAST_SECONDS[command] + round(rows / 1e6 * rate)
        for command, rate in _SECONDS_PER_MILLION_ROWS.items()
    }
    return dict(seconds, disk_bytes=_COPIES_IN_TARGET * sum(table["bytes"] for table in tables.values()))
