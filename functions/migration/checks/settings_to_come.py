"""DAG files that cannot be imported for want of a variable or a connection, which come with a migration's import."""

from __future__ import annotations

from collections.abc import Callable, Collection

from migration.checks.import_errors import BrokenFile
from migration.checks.source_dags import SourceDags


def are_cause(one: BrokenFile, known: SourceDags) -> bool:
    """Whether all that is said of a file is that it asks for something that the import brings."""
    if one.lacks is None:
        return False
    kind, name = one.lacks
    return name in (known["variables"] if kind == "variables" else known["connections"])


def may_be_cause(one: BrokenFile, known: SourceDags, names: Collection[str], read: Callable[[str], str]) -> bool:
    """Whether that is so, or may be: the error is one that a missing value causes, and the file names such a setting.

    Args:
        names: the files below the target's DAG folder.
        read: returns the text of one.
    """
    if are_cause(one, known):
        return True
    settings = [*known["variables"], *known["connections"]]
    if not settings or not one.is_of_value:
        return False
    files = [name for name in dict.fromkeys((one.place, one.file)) if name in names and name.endswith(".py")]
    texts = [read(name) for name in files]
    return any(f"{quote}{name}{quote}" in text for text in texts for name in settings for quote in "'\"")


def remedy(one: BrokenFile, known: SourceDags) -> str:
    """What to do about a file for which one of these holds."""
    if are_cause(one, known):
        return "Nothing: the import brings it."
    return f"Look again after the import, which brings a variable or connection that it names. {one.remedy}"
