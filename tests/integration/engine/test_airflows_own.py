"""What the engine reads from Airflow's files, against what Airflow itself says."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.installations import airflow_installation
from sources.deployment import Deployment
from tests.integration.engine.conftest import OLD_SOURCE, SOURCE, TARGET

HEADS = """
import json, os, airflow
from alembic.config import Config
from alembic.script import ScriptDirectory
from mwaa_migrator.this_airflow.migrations import head_revision
package = os.path.dirname(airflow.__file__)
config = Config(os.path.join(package, "alembic.ini"))
config.set_main_option("script_location", os.path.join(package, "migrations"))
print(json.dumps([head_revision(), ScriptDirectory.from_config(config).get_current_head()]))
"""


@pytest.mark.parametrize("version", [OLD_SOURCE, SOURCE, TARGET])
def test_head_revision_is_alembics(version: str, homes: Path, empty_target: Deployment) -> None:
    installation = airflow_installation.install(version)
    ours, alembics = empty_target.having(installation=installation, home=homes / version).python(HEADS)
    assert ours == alembics


def test_looking_for_the_head_imports_no_model(empty_target: Deployment) -> None:
    """They would take 50 MB for as long as the import runs, and most of a second."""
    script = """
import json, sys
import mwaa_migrator.merge.import_artifact
from mwaa_migrator.this_airflow import migrations
migrations.head_revision()
print(json.dumps(sorted(name for name in sys.modules if name.startswith(("alembic", "airflow.models.dagrun")))))
"""
    assert empty_target.new_python(script) == []
