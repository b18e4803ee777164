"""An export takes all of Airflow's tables or none, and a target's tables are written by the merge alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sources.deployment import Deployment


@pytest.mark.parametrize(
    ("case", "error"),
    [
        ("tables_in_two_schemas", "AirflowTablesMissing"),
        ("no_revision", "RevisionUnclear"),
        ("log_without_pk", "PrimaryKeyMissing"),
    ],
)
def test_a_target_is_refused_as_well(case: str, error: str, odd: Callable[..., Deployment], artifact: Path) -> None:
    refused = odd("2.11.2", case).run("import", "--from", str(artifact))
    assert (refused.code, refused.error) == (3, error)


def test_other_applications_on_the_search_path_are_no_hindrance(odd: Callable[..., Deployment], tmp_path: Path) -> None:
    done = odd("2.10.3", "other_application_on_search_path").succeed("export", "--to", str(tmp_path))
    assert "orders" not in done["tables"]


def test_names_that_airflow_3_has_no_more_are_no_hindrance(odd: Callable[..., Deployment], artifact: Path) -> None:
    assert (
        odd("3.2.1", "other_application_named_as_airflow_2").run("verify", "--from", str(artifact)).error
        == "NotImported"
    )
