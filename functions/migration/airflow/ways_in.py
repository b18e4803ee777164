"""How an import into Airflow 3 gets to the metadata database, by `options.wayIn`.

The engine takes the same words as an option of its runs. The plugin is a way only in a target that was created with it:
one that is there would need an update of half an hour to get it, and another to lose it again.
"""

from __future__ import annotations

from typing import Any

from migration.airflow import path

WAYS_IN = AUTO, WORKER, PLUGIN = "auto", "worker", "plugin"

_NOTE = (
    "The target is created with a plugin of ours in its plugins.zip, beside your own, as {} way to its database "
    "(mwaa_migrator_plugin.py, mwaa_migrator_plugin.json and mwaa_migrator_engine.zip). After the migration it does "
    "nothing. An update of the environment that names a plugins.zip without it removes it: that takes Amazon MWAA 20 "
    "to 40 minutes, so no migration does it by itself."
)


def of(wanted: str, import_version: str, overrides: dict[str, Any]) -> str:
    """The way in that a migration takes: WORKER where the plugin cannot be in the target, or is not needed."""
    is_needed = path.is_at_airflow_3(import_version)
    return WORKER if not is_needed or (wanted == AUTO and "PluginsS3Path" in overrides) else wanted


def note(way_in: str) -> str:
    """What the plan says of the plugin; empty where the target gets none."""
    return "" if way_in == WORKER else _NOTE.format("the only" if way_in == PLUGIN else "a second")
