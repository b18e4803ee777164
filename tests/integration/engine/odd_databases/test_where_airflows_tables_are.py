"""An export takes all of Airflow's tables or none, and a target's tables are written by the merge alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sources.deployment import Deployment

OPTION = {"database__sql_alchemy_schema": "airflow"}


@pytest.mark.parametrize(
    ("case", "options", "error", "says"),
    [
        (
            "tables_in_two_schemas",
            OPTION,
            "AirflowTablesMissing",
            "alembic_version lies in public, and dag_run, task_instance, xcom, connection, dag and 4 more in airflow",
        ),
        ("tables_in_two_schemas", {}, "AirflowTablesMissing", "alembic_version lies in public, and dag_run"),
        (
            "newer_tables_in_users_schema",
            {},
            "AirflowTablesMissing",
            "by its search_path Airflow finds dataset_event, task_instance_note in airflow_owner",
        ),
        (
            "stale_airflow_in_public",
            OPTION,
            "AirflowTablesMissing",
            "alembic_version lies in public, and Airflow takes its tables from airflow (sql_alchemy_schema)",
        ),
        ("no_revision", {}, "RevisionUnclear", "public.alembic_version is empty"),
        ("two_revisions", {}, "RevisionUnclear", "has 2 revisions (1986afd32c1b, "),
    ],
)
def test_refused(
    case: str, options: dict[str, str], error: str, says: str, odd: Callable[..., Deployment], tmp_path: Path
) -> None:
    refused = odd("2.10.3", case, **options).run("export", "--to", str(tmp_path), "--id", "a")
    assert (refused.code, refused.error) == (3, error)
    assert says in refused.message
    assert not list(tmp_path.rglob("manifest.json"))


@pytest.mark.parametrize(
    ("case", "error"), [("tables_in_two_schemas", "AirflowTablesMissing"), ("no_revision", "RevisionUnclear")]
)
def test_a_target_is_refused_as_well(case: str, error: str, odd: Callable[..., Deployment], artifact: Path) -> None:
    refused = odd("2.11.2", case).run("import", "--from", str(artifact))
    assert (refused.code, refused.error) == (3, error)


def test_other_applications_on_the_search_path_are_no_hindrance(odd: Callable[..., Deployment], tmp_path: Path) -> None:
    done = odd("2.10.3", "other_application_on_search_path").succeed("export", "--to", str(tmp_path))
    assert "orders" not in done["tables"]


def test_migrations_never_reach_the_targets_own_tables(odd: Callable[..., Deployment], tmp_path: Path) -> None:
    """Airflow's models name the schema of the option, and the migration that encrypts triggers uses the models."""
    source = odd("2.8.1")
    source.execute(
        "insert into trigger (classpath, kwargs, created_date) values ('airflow.triggers.temporal.TimeDeltaTrigger', "
        """'{"__var": {"delta": {"__var": 60.0, "__type": "timedelta"}}, "__type": "dict"}', now())"""
    )
    source.succeed("export", "--to", str(tmp_path), "--id", "a")
    target = odd("2.11.2", "target_in_a_schema_of_its_own", **OPTION)
    target.succeed("import", "--from", str(tmp_path))
    before = target.rows("select xmin::text, kwargs from airflow.trigger")
    assert [kwargs[:6] for _, kwargs in before] == ["gAAAAA"]
    assert target.succeed("verify", "--from", str(tmp_path))["verified"]
    assert target.rows("select xmin::text, kwargs from airflow.trigger") == before
