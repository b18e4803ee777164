"""DAGs that the source knows and the target has not parsed, each with the reason."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from migration.checks.import_errors import BrokenFile


class Missing(NamedTuple):
    """A DAG of the source; `reason` is a sentence, empty while its file may still be parsed."""

    dag_id: str
    file: str
    reason: str
    remedy: str


def of(
    known: Iterable[Mapping[str, Any]],
    parsed: Collection[str],
    broken: Iterable[BrokenFile],
    names: Collection[str],
    ignored_by: Callable[[str], str | None],
) -> list[Missing]:
    """In the order of their ids.

    Args:
        known: the source's DAGs (`dag_id`, `file`), as the export has told them.
        parsed: ids that the target knows.
        names: the objects below the target's DAG folder.
        ignored_by: which `.airflowignore`, and which of its lines, keeps a file from being parsed.
    """
    errors = {one.file: one for one in broken}
    missing = sorted((str(dag["dag_id"]), str(dag["file"])) for dag in known if dag["dag_id"] not in parsed)
    return [_missing(dag_id, file, errors.get(file), frozenset(names), ignored_by) for dag_id, file in missing]


def _missing(
    dag_id: str, file: str, error: BrokenFile | None, names: frozenset[str], ignored_by: Callable[[str], str | None]
) -> Missing:
    if error is not None:
        return Missing(dag_id, file, f"Its file cannot be imported: {error.message}", error.remedy)
    if file not in names and not _in_an_archive(file, names):
        where = "outside of the DAG folder" if file.startswith("/") else "not in the target's DAG folder"
        return Missing(
            dag_id, file, f"Its file is {where}.", "Put it there, or delete the DAG in the source if nobody needs it."
        )
    ignored = ignored_by(file)
    if ignored is not None:
        return Missing(dag_id, file, f"{ignored} keeps its file from being read.", "Take the line away or change it.")
    return Missing(dag_id, file, "", "")


def _in_an_archive(file: str, names: frozenset[str]) -> bool:
    """Whether a path goes on inside of a file that is there: DAGs may come in zip archives."""
    inside, archive, _ = file.partition(".zip/")
    return bool(archive) and f"{inside}.zip" in names
