"""What is known of each revision's tables is what the releases' own migrations make."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mwaa_migrator.airflow_schema.revision_tables import _RELEASES, revision_tables
from mwaa_migrator.airflow_schema.tables import FILLS_ITSELF_PREFIXES

from local.installations import airflow_installation
from sources.deployment import Deployment

#: Of Alembic, Flask and FAB.
OTHERS = ("alembic_version", "session", *FILLS_ITSELF_PREFIXES)

TABLES = "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
APPLIED = """
import json
from mwaa_migrator.this_airflow.migrations import applied_revisions
print(json.dumps(sorted(applied_revisions("{}"))))
"""


@pytest.mark.parametrize("version", airflow_installation.versions())
def test_tables(version: str, empty_airflow: Callable[[str, str], Deployment]) -> None:
    airflow = empty_airflow(version, "newest")
    there = {name for (name,) in airflow.rows(TABLES) if not name.startswith(OTHERS)}
    revision = airflow.value("select version_num from alembic_version")
    known = revision_tables(revision, airflow.python(APPLIED.format(revision)))
    assert known.there == there
    assert not known.gone & there


def test_before_and_between_releases() -> None:
    assert revision_tables("of 1.10.0", ["of 1.10.0"]).there == frozenset()
    between = revision_tables("of 2.0.0", [_RELEASES[0].revision, "of 2.0.0"])
    assert "xcom" in between.there
    assert not {"chart", "sensor_instance"} & between.there
