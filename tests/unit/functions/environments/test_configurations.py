"""What becomes of an environment's settings: a specification by files of kinds that users of Amazon MWAA have.

Each file of `configurations` says why it is there, what GetEnvironment has of the source, and for each version of a
target what happens to its Airflow options. Of what is not named, every field and every option is the source's.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import boto3
import pytest

from migration.environments import requests
from migration.environments.requests import Files

CASES = {
    f"{file.stem}-{version}": (tomllib.loads(file.read_text(encoding="utf-8")), version)
    for file in sorted((Path(__file__).parent / "configurations").glob("*.toml"))
    for version in tomllib.loads(file.read_text(encoding="utf-8"))["targets"]
}
ALWAYS: dict[str, Any] = {
    "Name": "prod",
    "Status": "AVAILABLE",
    "Arn": "arn:aws:airflow:eu-west-1:123456789012:environment/prod",
    "ExecutionRoleArn": "arn:aws:iam::123456789012:role/airflow",
    "SourceBucketArn": "arn:aws:s3:::dags",
    "DagS3Path": "dags",
    "NetworkConfiguration": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
    "LoggingConfiguration": {"TaskLogs": {"Enabled": True, "LogLevel": "INFO"}},
}
# What the migration decides, and what StageSettings stages.
DECIDED = {"Name", "AirflowVersion", "DagS3Path", "Tags", "AirflowConfigurationOptions"} | {
    f"{prefix}S3{what}" for prefix in ("Requirements", "Plugins") for what in ("Path", "ObjectVersion")
}
OURS = {"mwaa-migrator:migration": "id"}


@pytest.mark.parametrize(("case", "version"), CASES.values(), ids=CASES.keys())
def test_configuration(case: dict[str, Any], version: str) -> None:
    source, expected = ALWAYS | case["source"], case["targets"][version]
    shape = requests.input_shape(boto3.client("mwaa", region_name="eu-west-1"), "CreateEnvironment")
    made = requests.create_request(
        source, shape=shape, name="new", airflow_version=version, overrides={}, files=Files("new/dags"), tags=OURS
    )
    request = made.request

    options = {
        expected.get("renamed", {}).get(option, option): expected.get("values", {}).get(option, value)
        for option, value in source["AirflowConfigurationOptions"].items()
        if option not in expected.get("left_out", [])
    }
    assert made.options == options | dict.fromkeys(expected.get("added", []), "True")

    kept = {field: value for field, value in source.items() if field in shape.members and field not in DECIDED}
    for field in expected.get("fields_left_out", []):
        del kept[field]
    assert {field: value for field, value in request.items() if field not in DECIDED} == kept
    own = {key: value for key, value in source.get("Tags", {}).items() if not key.startswith("aws:")}
    assert (request["Name"], request["AirflowVersion"], request["Tags"]) == ("new", version, own | OURS)
    assert requests.model_problems(request, shape) == []

    for note, words in zip(made.notes, expected["notes"], strict=True):
        assert note.startswith(words)
    for secret in case.get("secrets", []):
        assert not any(secret in note for note in made.notes)
        refusal = f"Value '{source['AirflowConfigurationOptions']}' failed to satisfy constraint"
        assert secret not in requests.without_values(refusal, source["AirflowConfigurationOptions"])
