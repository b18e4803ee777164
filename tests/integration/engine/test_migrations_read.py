"""Airflow 3's migrations were read, each of them: what they do not take, and what they change without a word.

A migration that is new, or another one than was read, fails this test. Read it, give what you find a rule in
``airflow_schema/migration_rules.py`` or ``airflow_schema/silent_changes.py`` with a case in ``test_migration_rules.py``
or below, and only then write down here that it was read:
``PYTHONPATH=dags .venv/bin/python -m tests.integration.engine.test_migrations_read``.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from mwaa_migrator.airflow_schema.migration_rules import RULES
from mwaa_migrator.airflow_schema.silent_changes import SILENT_CHANGES

from local.installations import airflow_installation

VERSIONS = ("3.0.6", "3.2.1", "3.3.1")

#: By file name the SHA-256 of each text that a release has it in.
READ = Path(__file__).with_name("migrations_read.json")


def migrations(version: str) -> dict[str, str]:
    """The texts of a release's migrations to 3.x, by file name."""
    library = airflow_installation.install(version).python.parent.parent
    files = sorted(library.glob("lib/python3*/site-packages/airflow/migrations/versions/*_3_*.py"))
    texts = {file.name: file.read_text() for file in files}
    return {name: text for name, text in texts.items() if re.search(r'^airflow_version = "3\.', text, re.MULTILINE)}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("version", VERSIONS)
def test_each_migration_was_read(version: str) -> None:
    read = json.loads(READ.read_text())
    found = migrations(version)
    assert len(found) > 30
    assert [name for name, text in found.items() if digest(text) not in read.get(name, [])] == []


def test_each_rule_is_about_a_migration_that_there_is() -> None:
    releases: dict[str, str] = {}
    for version in VERSIONS:
        for text in migrations(version).values():
            (revision,) = re.findall(r'^revision(?:: str)? = "(\w+)"', text, re.MULTILINE)
            (release,) = re.findall(r'^airflow_version = "([\d.]+)"', text, re.MULTILINE)
            releases[revision] = release
    rules = [(rule.revision, rule.release) for rule in RULES]
    for revision, release in [*rules, *((change.revision, change.release) for change in SILENT_CHANGES)]:
        # A later release may have changed the same migration.
        if release.startswith("3."):
            assert revision is not None
            assert releases[revision] <= release, revision


def main() -> None:
    read: dict[str, list[str]] = {}
    for version in VERSIONS:
        for name, text in migrations(version).items():
            read[name] = sorted({*read.get(name, ()), digest(text)})
    READ.write_text(json.dumps(read, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
