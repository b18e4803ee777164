from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.artifact.manifest import check_id
from mwaa_migrator.cli import main, new_artifact_id

from tests.unit.engine.test_manifest import MANIFEST

TO, FROM = ["--to", "somewhere"], ["--from", "somewhere"]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ([], "COMMAND"),
        (["move"], "move"),
        (["export"], "--to"),
        (["export", *TO, "--days", "0"], "'0' is not a number of days"),
        (["export", *TO, "--days", "-1"], "--days"),
        (["export", *TO, "--days", "1.5"], "'1.5' is not a number of days"),
        (["export", *TO, "--jobs", "0"], "'0' is not a number from 1 to 16"),
        (["export", *TO, "--jobs", "17"], "'17' is not a number from 1 to 16"),
        (["export", *TO, "--id", "a/b"], "cannot be an artifact's id"),
        (["export", "--to", "ftp://host/path"], "neither a directory nor"),
        (["export", *TO, "--from", "x"], "--from"),
        (["check", "--target-version", "3"], "'3' is not a version such as 2.11.2"),
        (["check", "--jobs", "2"], "--jobs"),
        (["check", *TO], "--to"),
        (["import"], "--from"),
        (["import", *FROM, "--on-conflict", "merge"], "--on-conflict"),
        (["import", *FROM, "--pause-state", "none"], "--pause-state"),
        (["import", *FROM, "--id", "_"], "cannot be an artifact's id"),
        (["import", *FROM, "more"], "more"),
        (["verify", "--from", "s3://B/x"], "neither a directory nor"),
        (["prepare-hop"], "--to-version"),
        (["prepare-hop", "--to-version", "3"], "'3' is not a version such as 2.11.2"),
        (["prepare-hop", "--to-version", "3.2.1", "--pickled-xcoms", "run"], "--pickled-xcoms"),
        (["inspect", *FROM, "--jobs", "1"], "--jobs"),
    ],
)
def test_wrong_arguments_end_with_2(
    arguments: list[str],
    fault: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--json"]) == 2
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert result["error"]["name"] == "InvalidArguments"
    assert fault in result["error"]["message"]
    assert fault in printed.err
    assert list(tmp_path.iterdir()) == []


def test_the_last_line_of_standard_output_is_the_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--from", str(tmp_path), "--json"]) == 3
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    result = json.loads(line)
    assert (result["command"], result["status"], result["error"]["name"]) == ("inspect", "failed", "ArtifactIncomplete")
    assert main(["inspect", "--from", str(tmp_path)]) == 3
    assert capsys.readouterr().out == ""


def test_inspect_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage = open_storage(str(tmp_path))
    part = {"name": "tables/log/0000-0000.copy.gz", "rows": 3, "bytes": 30, "stored_bytes": 20, "sha256": ""}
    table = {"columns": [], "rows": 3, "bytes": 30, "parts": [part], "checksum": "7"}
    rest = {"options": {}, "unfinished": {"listed": {}}, "not_exported": {}, "skipped_undecryptable": []}
    rest |= {"columns_left_out": [], "indexes_left_out": [], "constraints_left_out": []}
    rest |= {"set_aside": [], "refused_by_airflow_3": []}
    storage.write_json("manifest.json", {**MANIFEST, **rest, "tables": {"log": table}})
    storage.write_bytes(str(part["name"]), b"short")
    assert main(["inspect", "--from", str(tmp_path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["whole"], result["missing_parts"]) == (False, [part["name"]])
    storage.write_bytes(str(part["name"]), b"x" * 20)
    assert main(["inspect", "--from", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["whole"]


@pytest.mark.parametrize("arguments", [["--help"], ["export", "--help"], ["import", "--help"]])
def test_help_is_the_output_that_was_asked_for(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(arguments)
    printed = capsys.readouterr()
    assert printed.out.startswith("usage: mwaa_migrator")
    assert printed.err == ""


def test_a_new_id_is_an_id() -> None:
    assert check_id(new_artifact_id()) != new_artifact_id()


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    """Schedulers parse the DAG files again and again."""
    script = (
        "import sys, mwaa_migrator.cli, mwaa_migrator.dag_tasks.dag; "
        "print({'airflow', 'boto3', 'psycopg2', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": "dags"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
