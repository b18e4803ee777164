"""What this Airflow's own migrations say, read from their text.

Alembic would import every one of them, and with them Airflow's models and FAB: 50 MB and most of a second. A process
reads them once.
"""

from __future__ import annotations

import ast
import glob
import os
import re
from functools import lru_cache
from typing import Any, Dict, FrozenSet, Iterable, Iterator, NamedTuple, Tuple

from mwaa_migrator.errors import AirflowNotSupported
from mwaa_migrator.this_airflow.migration_syntax import ANY_TABLE, MigrationSyntax


class Revision(NamedTuple):
    """A migration: the revisions that it ``follows``, and the release that it came with, where it says so."""

    follows: Tuple[str, ...]
    airflow_version: str | None


@lru_cache(maxsize=None)
def head_revision() -> str:
    """The revision that the migrations lead to: the one that no other follows.

    Raises AirflowNotSupported unless there is exactly one.
    """
    revisions = _read().revisions
    heads = set(revisions) - {before for revision in revisions.values() for before in revision.follows}
    if len(heads) != 1:
        message = "This Airflow's migrations have {} heads ({}) instead of one. Reinstall Airflow."
        raise AirflowNotSupported(message.format(len(heads), ", ".join(sorted(heads))))
    return heads.pop()


def known_revisions() -> Dict[str, Revision]:
    """The revisions that this Airflow's migrations begin at, lead through and lead to."""
    return dict(_read().revisions)


def applied_revisions(revision: str) -> set[str]:
    """The revisions that a database at ``revision`` has been through, as far as this Airflow knows them."""
    revisions = _read().revisions
    applied: set[str] = set()
    waiting = [revision]
    while waiting:
        current = waiting.pop()
        if current not in applied:
            applied.add(current)
            waiting += revisions[current].follows if current in revisions else ()
    return applied


def unknown_tables(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that no migration and no model takes for a table: a user or a plugin must have made them.

    A word that a migration uses for something else does not count: ``event`` is a column's name. The models alone would
    not do, because a database may still have what they have no more; the migrations alone would not either, because
    those of 3.0 begin with tables that they do not spell out.
    """
    known = tables_in_migrations() | _read_models().tables
    return sorted(name for name in names if name not in known)


def tables_in_migrations() -> FrozenSet[str]:
    """The tables that this Airflow's migrations make or change."""
    return _read().tables


def columns_in_migrations(table: str) -> FrozenSet[str]:
    """The columns that this Airflow's migrations give the table, under any name that it has had.

    Airflow 3's migrations begin with tables that they do not spell out: of those, only columns that came later.
    """
    columns = _read().columns
    return columns.get(table, frozenset()) | columns.get(ANY_TABLE, frozenset())


def names_in_migrations(after: str | None = None) -> set[str]:
    """Every name that this Airflow's migrations put between quotes: of tables, columns, indexes, constraints.

    ``after``: only the migrations that a database at that revision has not been through.
    """
    migrations = _read()
    applied = set() if after is None else applied_revisions(after)
    ahead = [names for revision, names in migrations.names.items() if revision not in applied]
    return set().union(*ahead)


def index_names() -> set[str]:
    """The names of indexes and constraints in this Airflow's migrations and models, and of whatever else is there."""
    return names_in_migrations() | _read_models().indexes


class _Migrations(NamedTuple):
    revisions: Dict[str, Revision]
    tables: FrozenSet[str]
    columns: Dict[str, FrozenSet[str]]
    names: Dict[str, FrozenSet[str]]


@lru_cache(maxsize=None)
def _read() -> _Migrations:
    """Parsing the text is what takes time, so all that is wanted of it is taken at once."""
    revisions: Dict[str, Revision] = {}
    tables: set[str] = set()
    columns: Dict[str, set[str]] = {}
    renamed: set[tuple[str, str]] = set()
    names: Dict[str, FrozenSet[str]] = {}
    for text in _migrations():
        module = ast.parse(text)
        said = dict(_assignments(module))
        if "revision" in said:
            revisions[said["revision"]] = Revision(_as_tuple(said.get("down_revision")), said.get("airflow_version"))
            names[said["revision"]] = frozenset(re.findall(r"""["'](\w+)["']""", text))
        syntax = MigrationSyntax(module)
        tables.update(syntax.tables())
        renamed.update(syntax.renamed_tables())
        for table, column in syntax.columns():
            columns.setdefault(table, set()).add(column)
    for one, other in renamed:
        both = columns.get(one, set()) | columns.get(other, set())
        columns.update({one: both, other: both})
    frozen = {name: frozenset(of) for name, of in columns.items()}
    return _Migrations(revisions, frozenset(tables), frozen, names)


class _Models(NamedTuple):
    tables: FrozenSet[str]
    indexes: FrozenSet[str]


@lru_cache(maxsize=None)
def _read_models() -> _Models:
    """From their text: importing all of them takes seconds, and leaves out those that lack an optional dependency."""
    texts = list(_texts("models")) + list(_texts("jobs"))
    tables = {name for text in texts for name in re.findall(r"""__tablename__\b[^=\n]*= ["'](\w+)["']""", text)}
    indexes = {name for text in texts for name in re.findall(r"""(?:\bIndex\(\s*|\bname=)["'](\w+)["']""", text)}
    return _Models(frozenset(tables), frozenset(indexes))


def _as_tuple(revisions: Any) -> Tuple[str, ...]:
    return (revisions,) if isinstance(revisions, str) else tuple(revisions or ())


def _migrations() -> Iterator[str]:
    """The text of each migration."""
    return _texts("migrations", "versions")


def _texts(*folder: str) -> Iterator[str]:
    """The text of each module in a folder of this Airflow's."""
    import airflow

    for path in glob.glob(os.path.join(os.path.dirname(airflow.__file__), *folder, "*.py")):
        with open(path, encoding="utf-8") as module:
            yield module.read()


def _assignments(module: ast.Module) -> Iterator[tuple[str, Any]]:
    """What a module assigns to ``revision``, ``down_revision`` and ``airflow_version``, with or without a type."""
    for statement in module.body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in ("revision", "down_revision", "airflow_version"):
                yield target.id, ast.literal_eval(statement.value)
