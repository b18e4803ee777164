from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from migration.environments import requests
from migration.environments.requests import Files, create_request, hop_request, overridden

MWAA = boto3.client("mwaa", region_name="eu-west-1")
SHAPE = requests.input_shape(MWAA, "CreateEnvironment")
MODEL: Any = MWAA.meta.service_model
READ = MODEL.operation_model("GetEnvironment").output_shape.members["Environment"]
FILES = Files(dags="prod-3/dags", requirements=("prod-3/2.11.2/requirements.txt", "v1"))

# GetEnvironment's answer with every field of its model.
SOURCE: dict[str, Any] = {
    "Name": "prod-2-10",
    "Status": "AVAILABLE",
    "Arn": "arn:aws:airflow:eu-west-1:111122223333:environment/prod-2-10",
    "CreatedAt": "2024-01-01",
    "WebserverUrl": "x.c3.airflow.eu-west-1.on.aws",
    "ExecutionRoleArn": "arn:aws:iam::111122223333:role/airflow",
    "ServiceRoleArn": "arn:aws:iam::111122223333:role/service",
    "KmsKey": "arn:aws:kms:eu-west-1:111122223333:key/k",
    "AirflowVersion": "2.10.3",
    "SourceBucketArn": "arn:aws:s3:::dags",
    "DagS3Path": "dags",
    "PluginsS3Path": "plugins.zip",
    "PluginsS3ObjectVersion": "p1",
    "RequirementsS3Path": "requirements.txt",
    "RequirementsS3ObjectVersion": "r1",
    "StartupScriptS3Path": "startup.sh",
    "StartupScriptS3ObjectVersion": "s1",
    "AirflowConfigurationOptions": {"core.dag_concurrency": "9", "core.parallelism": "32"},
    "EnvironmentClass": "mw1.medium",
    "MaxWorkers": 7,
    "MinWorkers": 2,
    "MinWebservers": 2,
    "MaxWebservers": 3,
    "Schedulers": 3,
    "NetworkConfiguration": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
    "LoggingConfiguration": {
        "TaskLogs": {"Enabled": True, "LogLevel": "INFO", "CloudWatchLogGroupArn": "arn:aws:logs:::log-group:x"},
        "SchedulerLogs": {"Enabled": False, "LogLevel": "WARNING"},
    },
    "LastUpdate": {"Status": "SUCCESS"},
    "WeeklyMaintenanceWindowStart": "SUN:03:00",
    "Tags": {"team": "data", "aws:cloudformation:stack-name": "x"},
    "WebserverAccessMode": "PRIVATE_ONLY",
    "CeleryExecutorQueue": "q",
    "DatabaseVpcEndpointService": "d",
    "WebserverVpcEndpointService": "w",
    "EndpointManagement": "SERVICE",
    "IdentityCenterConfiguration": {"StartUrl": "https://d-1234567890.awsapps.com/start"},
    "Teams": {},
}


def created(source: dict[str, Any] = SOURCE, version: str = "2.11.2", **overrides: Any) -> requests.Settings:
    return create_request(
        source,
        shape=SHAPE,
        name="prod-3",
        airflow_version=version,
        overrides=overrides,
        files=FILES,
        tags={"mwaa-migrator:migration": "m"},
    )


def test_every_field_that_can_be_created_is_copied_and_no_other() -> None:
    assert set(SOURCE) == set(READ.members)
    request = created().request
    pinned = {f"{name}S3{kind}" for name in ("Plugins", "StartupScript") for kind in ("Path", "ObjectVersion")}
    assert set(request) == set(SHAPE.members) - pinned - {"Teams"}
    assert requests.model_problems(request, SHAPE) == []
    for field in ("KmsKey", "EnvironmentClass", "MaxWorkers", "MinWebservers", "Schedulers", "NetworkConfiguration"):
        assert request[field] == SOURCE[field]


def test_what_the_migration_decides() -> None:
    request = created().request
    assert (request["Name"], request["AirflowVersion"], request["DagS3Path"]) == ("prod-3", "2.11.2", "prod-3/dags")
    assert (request["RequirementsS3Path"], request["RequirementsS3ObjectVersion"]) == FILES.requirements
    assert request["Tags"] == {"team": "data", "mwaa-migrator:migration": "m"}
    assert request["LoggingConfiguration"]["TaskLogs"] == {"Enabled": True, "LogLevel": "INFO"}


def test_options_are_translated_to_the_version() -> None:
    request, notes = created()
    assert request["AirflowConfigurationOptions"] == {
        "core.max_active_tasks_per_dag": "9",
        "core.parallelism": "32",
    }
    assert notes == ["core.dag_concurrency is now core.max_active_tasks_per_dag."]


def test_overrides_win_and_maps_are_merged() -> None:
    request = created(
        MaxWorkers=1,
        ExecutionRoleArn="arn:aws:iam::111122223333:role/other",
        AirflowConfigurationOptions={"core.parallelism": None, "core.lazy_load_plugins": "False"},
        Tags={"team": None, "stage": "new", "mwaa-migrator:migration": "forged"},
        RequirementsS3Path="mine.txt",
    ).request
    assert request["MaxWorkers"] == 1
    assert request["ExecutionRoleArn"].endswith("other")
    assert request["AirflowConfigurationOptions"] == {
        "core.max_active_tasks_per_dag": "9",
        "core.lazy_load_plugins": "False",
    }
    assert request["Tags"] == {"stage": "new", "mwaa-migrator:migration": "m"}


def test_no_dag_starts_because_it_is_new() -> None:
    source = SOURCE | {"AirflowConfigurationOptions": {"core.dags_are_paused_at_creation": "False"}}
    request, notes = created(source)
    assert request["AirflowConfigurationOptions"] == {"core.dags_are_paused_at_creation": "True"}
    assert "set it back" in notes[0]


def test_an_old_source_gets_what_its_history_needs_and_a_hop_takes_it_away() -> None:
    source = SOURCE | {
        "AirflowVersion": "1.10.12",
        "AirflowConfigurationOptions": {"core.enable_xcom_pickling": "False"},
    }
    request, notes = created(source)
    assert request["AirflowConfigurationOptions"] == {
        "logging.use_historical_filename_templates": "True",
        "core.enable_xcom_pickling": "True",
    }
    assert any("core.enable_xcom_pickling is True, because" in note for note in notes)
    overridden = created(source, AirflowConfigurationOptions={"core.enable_xcom_pickling": None}).request
    assert set(overridden["AirflowConfigurationOptions"]) == {"logging.use_historical_filename_templates"}
    hop, _ = hop_request(source, source, airflow_version="3.2.1", overrides={}, files=FILES)
    assert hop["AirflowConfigurationOptions"] == {}


def test_a_source_of_1_10_leaves_its_one_scheduler_behind() -> None:
    request, notes = created(SOURCE | {"AirflowVersion": "1.10.12", "Schedulers": 1})
    assert "Schedulers" not in request
    assert any("Schedulers" in note for note in notes)


def test_what_is_empty_is_left_out() -> None:
    bare = {key: SOURCE[key] for key in ("Name", "AirflowVersion", "ExecutionRoleArn", "SourceBucketArn", "DagS3Path")}
    request = create_request(
        bare | {"Tags": {}, "KmsKey": ""},
        shape=SHAPE,
        name="t",
        airflow_version="2.11.2",
        overrides={},
        files=Files("t/dags"),
        tags={},
    ).request
    assert set(request) == {"Name", "AirflowVersion", "ExecutionRoleArn", "SourceBucketArn", "DagS3Path"}


def test_a_hop_changes_version_options_and_files_only() -> None:
    current = SOURCE | {"Name": "prod-3", "AirflowVersion": "2.11.2"}
    files = FILES._replace(requirements=("prod-3/3.2.1/requirements.txt", "v2"))
    source = SOURCE | {"AirflowConfigurationOptions": {"core.check_slas": "True", "webserver.base_url": "u"}}
    request, notes = hop_request(source, current, airflow_version="3.2.1", overrides={"MaxWorkers": 1}, files=files)
    assert request == {
        "Name": "prod-3",
        "AirflowVersion": "3.2.1",
        "AirflowConfigurationOptions": {"api.base_url": "u"},
        "RequirementsS3Path": "prod-3/3.2.1/requirements.txt",
        "RequirementsS3ObjectVersion": "v2",
    }
    assert len(notes) == 2
    assert requests.model_problems(request, requests.input_shape(MWAA, "UpdateEnvironment")) == []


def test_overridden_leaves_its_argument_alone() -> None:
    request = {"Tags": {"a": "1"}}
    assert overridden(request, {"Tags": {"a": None, "b": "2"}}) == {"Tags": {"b": "2"}}
    assert request == {"Tags": {"a": "1"}}


@pytest.mark.parametrize("files", [FILES, Files("t/dags"), FILES._replace(plugins=("k", "v"))])
def test_files_survive_json(files: Files) -> None:
    assert Files.of(json.loads(json.dumps(files._asdict()))) == files
