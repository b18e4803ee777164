"""Variables and connections: encrypted with one key in the source, with another in the target, seen by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from sources.deployment import Deployment
from tests.integration.engine.conftest import SECRETS

#: What tasks see: the values by Airflow's own API, by name.
VALUES = """
import json
from airflow.models import Connection, Variable
from airflow.utils.session import create_session
with create_session() as session:
    values = {variable.key: [variable.get_val(), variable.description] for variable in session.query(Variable)}
    for connection in session.query(Connection):
        values["connection " + connection.conn_id] = [
            connection.get_password(), connection.get_extra(), connection.login, connection.host, connection.port
        ]
    print(json.dumps(values))
"""


@pytest.mark.parametrize("target_key", ["another", "none"])
def test_airflow_reads_the_same_values(
    target_key: str, filled_source: Deployment, target: Deployment, artifact: Path
) -> None:
    if target_key == "none":
        target = target.having(fernet_key="")
    values = filled_source.python(VALUES)
    assert {name: values[name][0] for name in SECRETS} == SECRETS
    target.succeed("import", "--from", str(artifact))
    assert target.python(VALUES) == values
    encrypted = target.value("select bool_and(is_encrypted) from variable where val is not null and val <> ''")
    assert encrypted == (target_key == "another")


def test_an_old_key_of_the_source_is_enough(source: Deployment, tmp_path: Path) -> None:
    rotated = source.having(fernet_key=f"{Fernet.generate_key().decode()},{source.fernet_key}")
    assert rotated.succeed("export", "--to", str(tmp_path), "--tables", "variable")["skipped_undecryptable"] == []


@pytest.fixture
def undecryptable(source: Deployment) -> Deployment:
    """A source with a variable and a connection that another key encrypted."""
    token = Fernet(Fernet.generate_key()).encrypt(b"lost").decode()
    source.execute("update variable set val = %s where key = 'plain'", (token,))
    source.execute("update connection set extra = %s where conn_id = 'unicode'", (token,))
    return source


def test_what_no_key_decrypts_fails_the_export(undecryptable: Deployment, tmp_path: Path) -> None:
    refused = undecryptable.run("export", "--to", str(tmp_path), "--id", "x")
    assert (refused.code, refused.error) == (3, "UndecryptableSecret")
    assert "variable plain (val)" in refused.message
    assert "connection unicode (extra)" in refused.message
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_or_is_left_behind(undecryptable: Deployment, target: Deployment, tmp_path: Path) -> None:
    skipped = undecryptable.succeed("export", "--to", str(tmp_path), "--skip-undecryptable")["skipped_undecryptable"]
    assert sorted(skipped) == ["connection unicode (extra)", "variable plain (val)"]
    tables = target.succeed("import", "--from", str(tmp_path))["tables"]
    assert (tables["variable"]["merged"], tables["connection"]["merged"]) == (2 * len(SECRETS), len(SECRETS) - 1)
    assert target.rows("select key from variable where key like 'plain%%'") == [("plain_in_clear",)]
    assert target.succeed("verify", "--from", str(tmp_path))["verified"]


def test_without_a_key_encrypted_values_are_undecryptable(source: Deployment, tmp_path: Path) -> None:
    refused = source.having(fernet_key="").run("export", "--to", str(tmp_path))
    assert (refused.code, refused.error) == (3, "UndecryptableSecret")


def test_secrets_are_never_printed(
    source: Deployment, copy_of: Callable[[Deployment], Deployment], target: Deployment, tmp_path: Path
) -> None:
    """Neither by what succeeds nor by what fails, and in the artifact they are in their tables' parts only."""
    secret = "correct-horse-battery-staple"
    token = Fernet(source.fernet_key).encrypt(secret.encode()).decode()
    source.execute("update variable set val = %s, is_encrypted = true where key = 'plain'", (token,))
    source.execute("update connection set password = %s where conn_id = 'plain'", (token,))
    outcomes: list[Any] = [source.run("export", "--to", str(tmp_path))]
    target.execute("insert into variable (key, val, is_encrypted) values ('plain', 'mine', false)")
    for conflicts in ("fail", "overwrite"):
        outcomes += [target.run("import", "--on-conflict", conflicts, "--from", str(tmp_path))]
    outcomes += [target.run(command, "--from", str(tmp_path)) for command in ("verify", "inspect")]
    assert [outcome.code for outcome in outcomes] == [0, 4, 0, 0, 0]
    for outcome in outcomes:
        assert secret not in outcome.stderr + str(outcome.result)
    readable = [path.read_text() for path in tmp_path.rglob("*.json")]
    assert len(readable) == 3
    assert not any(secret in text for text in readable)


def test_a_key_that_is_none(filled_source: Deployment, tmp_path: Path) -> None:
    refused = filled_source.having(fernet_key="no key").run("export", "--to", str(tmp_path))
    assert (refused.code, refused.error) == (3, "FernetKeyInvalid")
    assert "Traceback" not in refused.stderr
