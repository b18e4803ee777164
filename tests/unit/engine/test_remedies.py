"""An error of the database says whether trying again helps."""

from __future__ import annotations

import psycopg2
import pytest
from mwaa_migrator.errors import DatabaseFailed
from mwaa_migrator.postgres.session import named_database_errors, remedy
from psycopg2 import errors


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (psycopg2.OperationalError, "Try again"),
        (errors.AdminShutdown, "Try again"),
        (errors.DeadlockDetected, "Try again"),
        (errors.ReadOnlySqlTransaction, "Try again"),
        (errors.DiskFull, "Make room on the server's disk, and try again"),
        (errors.UniqueViolation, "Trying again will not help"),
        (errors.UndefinedTable, "Trying again will not help"),
        (errors.RaiseException, "A trigger or an event trigger that somebody has added"),
        (errors.UntranslatableCharacter, "encoding is UTF8"),
        (errors.ProgramLimitExceeded, "Trying again will not help"),
    ],
)
def test_whether_trying_again_helps(kind: type[psycopg2.Error], says: str) -> None:
    assert says in remedy(kind)


def test_the_first_line_has_the_remedy() -> None:
    with pytest.raises(DatabaseFailed) as failed, named_database_errors():
        raise errors.UniqueViolation("duplicate key value\nDETAIL:  Key (id)=(1) already exists.\n")
    first, *others = str(failed.value).splitlines()
    assert first.startswith("The database failed: duplicate key value. ")
    assert "Trying again will not help" in first
    assert others == ["DETAIL:  Key (id)=(1) already exists."]
