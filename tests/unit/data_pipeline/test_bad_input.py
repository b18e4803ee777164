"""What people and other services hand over in place of a sound definition, through the command and to its end.

Each is refused with object and field, or translated with what a person must know; no secret is printed or written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mwaa_migrator_cli.commands import cli

from .definitions import DAILY, SHELL, document

SECRET = "correct-horse-battery"
DATABASE = {
    "id": "Db",
    "type": "JdbcDatabase",
    "connectionString": "jdbc:postgresql://h/d",
    "username": "u",
    "*password": "#{myPassword}",
}
QUERY = {"id": "Query", "type": "SqlActivity", "database": {"ref": "Db"}, "script": "select 1"}


def translated(tmp_path: Path, content: Any) -> tuple[Result, str]:
    """What the command said, and all that it wrote, with the secret as the value of a parameter without a star."""
    if isinstance(content, dict) and "objects" in content:
        content = {"parameters": [{"id": "myPassword"}], "values": {"myPassword": SECRET}, **content}
    file = tmp_path / "bad.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    out = tmp_path / "out"
    told = CliRunner().invoke(cli, ["pipeline", str(file), "--out", str(out), "--airflow", "3.2.1"])
    return told, "\n".join(item.read_text() for item in out.rglob("*") if item.is_file())


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (document(SHELL | {"dependsOn": {"ref": "Nobody"}}), "Hello.dependsOn", "there is no object Nobody"),
        (document(SHELL | {"dependsOn": {"ref": "Hello"}}), "Hello.dependsOn", "wait for each other: Hello -> Hello"),
        (document(SHELL | {"type": "MagicActivity"}), "Hello.type", "no objects of the type MagicActivity"),
        (document(SHELL, DAILY | {"period": "15 Period"}), "Daily.period", "'15 Period' is not a period"),
        (document(SHELL | {"command": "#{format(}"}), "Hello.command", "does not parse"),
        (document(SHELL | {"command": "#{nothing}"}), "Hello.command", "names nothing"),
        (document(SHELL | {"command": "#{myPassword + }"}), "Hello.command", "does not parse"),
        ({"objects": []}, "", "it has no object"),
        ({"StartAt": "A", "States": {}}, "", "a state machine of Step Functions"),
        ({"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}, "", "a CloudFormation template without"),
        ({"Statement": []}, "", "an IAM policy"),
        ("[]", "", "a JSON list"),
        ("", "", "it is no JSON"),
        ('{"objects": [', "", "it is no JSON"),
        ("\x00\x01", "", "it is no JSON"),
    ],
)
def test_is_refused(tmp_path: Path, content: Any, place: str, message: str) -> None:
    told, written = translated(tmp_path, content)
    assert told.exit_code == 1, told.output
    assert told.exception is None or isinstance(told.exception, SystemExit)
    assert place in told.output
    assert message in told.output
    assert SECRET not in told.output
    assert written == ""


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    bad = SHELL | {"dependsOn": {"ref": "Nobody"}, "command": "#{nothing}", "attemptTimeout": "soon"}
    told, _ = translated(tmp_path, document(bad, DAILY | {"period": "15 Period"}, {"id": "M", "type": "Magic"}))
    for place in ("Hello.dependsOn", "Hello.command", "Hello.attemptTimeout", "Daily.period", "M.type"):
        assert f"  {place}: " in told.output


def test_a_starred_field_fed_by_a_parameter_without_a_star(tmp_path: Path) -> None:
    # It is written in a command as well, and in the name of an object.
    shell = SHELL | {"command": f"psql -W {SECRET}; echo #{{myPassword}}", "name": f"uses {SECRET}"}
    told, written = translated(tmp_path, document(DATABASE, QUERY, shell))
    assert told.exit_code == 0, told.output
    assert SECRET not in told.output + written
    assert "var.value.bad_secret_my_password" in written


def test_a_secret_that_is_no_expression(tmp_path: Path) -> None:
    told, written = translated(tmp_path, document(DATABASE | {"*password": f"#{{{SECRET}"}, QUERY))
    assert told.exit_code == 0, told.output
    assert SECRET not in told.output + written


def test_a_parameter_without_a_value(tmp_path: Path) -> None:
    told, written = translated(
        tmp_path, document(SHELL | {"command": "echo #{myPlace}"}, parameters=[{"id": "myPlace"}])
    )
    assert told.exit_code == 0, told.output
    assert '"bad_my_place": ""' in written


def test_two_objects_whose_names_become_one(tmp_path: Path) -> None:
    told, written = translated(
        tmp_path, document(SHELL | {"id": "A", "name": "Load It"}, SHELL | {"id": "B", "name": "load-it"})
    )
    assert told.exit_code == 0, told.output
    assert 'task_id="load_it"' in written
    assert 'task_id="load_it_b"' in written


def test_500_objects(tmp_path: Path) -> None:
    activities = [SHELL | {"id": f"A{number}"} for number in range(500)]
    told, written = translated(tmp_path, document(*activities))
    assert told.exit_code == 0, told.output
    assert written.count("SsmRunCommandOperator(") == 500
