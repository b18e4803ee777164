"""The Airflow versions that a migration goes through, by `options.path`.

A 2.x target is created and filled at its own version, and so is a 3.x target on the direct path. Through 2.11 the
target is created and filled at 2.11, then upgraded in place: Amazon MWAA upgrades to 3.x only from the latest 2.11.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

from migration.airflow import versions
from migration.airflow.versions import Version

WAYS = AUTO, DIRECT, THROUGH = "auto", "direct", "through-2.11"

# By Airflow 3 release, the oldest one whose databases its own migrations know: made by tools/oldest_sources.py.
_OLDEST_SOURCES = Path(__file__).with_name("oldest_sources.json")


def of(source: str, target: str, way: str, import_version: str) -> list[str]:
    """Source, import version, hops. The first two may be equal.

    Args:
        way: AUTO, DIRECT or THROUGH.
        import_version: the 2.11 that the way through 2.11 imports at.
    """
    if is_direct(source, target, way):
        return [source, target]
    return [source, import_version, target]


def is_direct(source: str, target: str, way: str) -> bool:
    """Whether the target is created at its final version: on AUTO where its own migrations take the source."""
    if way == AUTO and is_at_airflow_3(target):
        return versions.parse(source) >= oldest_source(target)
    return way != THROUGH or not is_at_airflow_3(target)


def is_at_airflow_3(version: str) -> bool:
    """Whether it is Airflow 3, which gives its tasks no connection to the metadata database."""
    return versions.parse(version).major >= 3


def oldest_source(target: str) -> Version:
    """The oldest release from which a 3.x target's own migrations start.

    For a release that the table lacks it is that of the nearest older one, and the engine in the target has the last
    word, before anything is paused.
    """
    table = _table()
    older = [release for release in table if release <= versions.parse(target)]
    return table[max(older, default=min(table))]


@functools.cache
def _table() -> dict[Version, Version]:
    content: dict[str, str] = json.loads(_OLDEST_SOURCES.read_text(encoding="utf-8"))
    return {versions.parse(release): versions.parse(oldest) for release, oldest in content.items()}
