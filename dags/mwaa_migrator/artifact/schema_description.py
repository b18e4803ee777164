"""schema.json: the definitions of the source's tables, as they were."""

from __future__ import annotations

from typing import Any

from mwaa_migrator.errors import ColumnTypeUnknown
from mwaa_migrator.postgres.catalog import Column, Constraint, Index, OwnedSequence, Table


def describe(tables: dict[str, Table]) -> dict[str, Any]:
    """The JSON form; raises ColumnTypeUnknown, naming every column whose type is not PostgreSQL's own."""
    foreign = [
        f"{table.name}.{column.name} ({column.type})"
        for table in tables.values()
        for column in table.columns
        if column.type_schema != "pg_catalog"
    ]
    if foreign:
        message = (
            "The target's database does not know the types of these columns: {}. Change them to types of PostgreSQL's "
            "own. --exclude-tables would leave out the rows only."
        )
        raise ColumnTypeUnknown(message.format(", ".join(sorted(foreign))))
    return {
        "tables": [
            {
                "name": table.name,
                "columns": [column._asdict() for column in table.columns],
                "constraints": [constraint._asdict() for constraint in table.constraints],
                "indexes": [index._asdict() for index in table.indexes],
                "sequences": [sequence._asdict() for sequence in table.sequences],
            }
            for _, table in sorted(tables.items())
        ]
    }


def described_tables(description: dict[str, Any]) -> dict[str, Table]:
    """The tables, by name, that ``describe`` was given."""
    tables = {}
    for entry in description["tables"]:
        tables[entry["name"]] = Table(
            entry["name"],
            [Column(**column) for column in entry["columns"]],
            [_constraint(constraint) for constraint in entry["constraints"]],
            [Index(**dict(index, columns=tuple(index["columns"]))) for index in entry["indexes"]],
            [OwnedSequence(**sequence) for sequence in entry["sequences"]],
        )
    return tables


def _constraint(entry: dict[str, Any]) -> Constraint:
    return Constraint(**dict(entry, columns=tuple(entry["columns"]), parent_columns=tuple(entry["parent_columns"])))
