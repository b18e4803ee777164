"""The probe in a real Airflow: its DAG is parsed, its run triggered, and nothing of it is left."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.rehearsal import application, source_environment
from migration.aws import clients
from mwaa_migrator_cli.doctor import examination, probe


def test_a_real_airflow_is_as_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As long as a task of the local AWS needs to end; in an account it is more.
    monkeypatch.setattr(probe, "_SETTLED_AFTER", 20.0)
    monkeypatch.setattr(probe, "_PAUSE", 1.0)
    monkeypatch.setattr(probe, "IDLE_SECONDS", (1, 2, 3))
    (tmp_path / "nothing.py").write_text("# No DAG.\n")
    said: list[str] = []
    with AwsWithMwaa() as aws:
        application.deploy(aws)
        environment = source_environment.create(aws, "prod", "2.11.2", tmp_path, said.append)
        for name, value in aws.variables().items():
            monkeypatch.setenv(name, value)
        clients._client.cache_clear()
        boto3.setup_default_session()
        try:
            asked = [examination.Named("prod", None)]
            findings = list(examination.findings(application.STACK_NAME, asked, said.append))
        finally:
            clients._client.cache_clear()
        assert [(one.check.name, one.found) for one in findings if one.answer != "expected"] == []
        assert {one.check for one in findings} == set(examination.CHECKS)
        assert source_environment.query(environment, "select dag_id from dag") == []
        assert source_environment.query(environment, "select run_id from dag_run") == []
