"""An error of the database says whether trying again helps."""

from __future__ import annotations

import psycopg2
import pytest
from mwaa_migrator.postgres.session import remedy
from psycopg2 import errors


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (psycopg2.OperationalError, "Try again"),
        (errors.AdminShutdown, "Try again"),
        (errors.DeadlockDetected, "Try again"),
        (errors.DiskFull, "Make room on the server's disk, and try again"),
        (errors.UniqueViolation, "Trying again will not help"),
        (errors.UndefinedTable, "Trying again will not help"),
        (errors.ProgramLimitExceeded, "Trying again will not help"),
    ],
)
def test_whether_trying_again_helps(kind: type[psycopg2.Error], says: str) -> None:
    assert says in remedy(kind)
