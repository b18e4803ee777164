from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from migration.environments import environment, overriding, requests
from migration.environments.overriding import overridden
from migration.environments.requests import Files, create_request, hop_request

MWAA = boto3.client("mwaa", region_name="eu-west-1")
SHAPE = requests.input_shape(MWAA, "CreateEnvironment")
MODEL: Any = MWAA.meta.service_model
UPDATE = requests.input_shape(MWAA, "UpdateEnvironment")
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
    # Nor at a version that is the first to parse it.
    hop, notes = hop_request(source, source, airflow_version="3.2.1", overrides={}, files=FILES)
    assert hop["AirflowConfigurationOptions"] == {"core.dags_are_paused_at_creation": "True"}
    assert "set it back" in notes[0]
    own = {"AirflowConfigurationOptions": {"core.dags_are_paused_at_creation": "False"}}
    asked, _ = hop_request(source, source, airflow_version="3.2.1", overrides=own, files=FILES)
    assert asked["AirflowConfigurationOptions"] == {"core.dags_are_paused_at_creation": "False"}


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


def test_options_that_replace_workers_wait_for_the_hop() -> None:
    option = "mwaa.worker_replacement_threshold_seconds"
    source = SOURCE | {"AirflowConfigurationOptions": {option: "600"}}
    request, notes = created(source)
    assert "AirflowConfigurationOptions" not in request
    assert "set it after the cut-over" in notes[0]
    hop, _ = hop_request(source, source, airflow_version="3.2.1", overrides={}, files=FILES)
    assert hop["AirflowConfigurationOptions"] == {option: "600"}


def test_options_that_name_the_source_are_named() -> None:
    source = SOURCE | {
        "AirflowConfigurationOptions": {"webserver.base_url": "airflow.example.org", "webserver.instance_name": "Prod"}
    }
    notes = created(source, AirflowConfigurationOptions={"webserver.instance_name": "New"}).notes
    assert [note.split(" still names the source")[0] for note in notes] == ["webserver.base_url"]
    assert created(source, version="3.2.1").notes[-1].startswith("api.instance_name still names the source")


@pytest.mark.parametrize("version", ["2.11.2", "3.2.1"])
def test_options_without_effect_are_named_and_stay(version: str) -> None:
    request, notes = created(SOURCE | {"AirflowConfigurationOptions": {"webserver.auto_refresh": "True"}}, version)
    assert request["AirflowConfigurationOptions"] == {"webserver.auto_refresh": "True"}
    assert notes == [f"Airflow {version} ignores webserver.auto_refresh, which it does not know."]


@pytest.mark.parametrize("version", ["2.11.2", "3.2.1"])
def test_a_section_of_the_users_survives(version: str) -> None:
    # As settings for DAGs, and as environment variables that requirements.txt reads.
    options = {"cdk.subnet_id": "subnet-01,subnet-02", "core.default_timezone": "Europe/London", "foo.pass": "PLANTED"}
    request, notes = created(SOURCE | {"AirflowConfigurationOptions": options}, version)
    assert request["AirflowConfigurationOptions"] == options
    assert notes == []


def test_an_answer_and_a_report_have_no_value_of_an_option() -> None:
    options = {"smtp.smtp_password": "PLANTED-1", "core.parallelism": "32"}
    told = requests.without_values("Value '{smtp.smtp_password=PLANTED-1, core.parallelism=32}' at 'x'", options)
    assert told == "Value '{smtp.smtp_password=***, core.parallelism=32}' at 'x'"
    (problem,) = requests.model_problems({"AirflowConfigurationOptions": {"foo.pass": ["PLANTED-2"]}}, UPDATE)[1:]
    assert problem.startswith("Invalid type for parameter AirflowConfigurationOptions.foo.pass, type: <class 'list'>")


@pytest.mark.parametrize(("old", "new"), [("mw1.micro", "mw1.small"), ("mw1.large", "mw1.micro")])
def test_the_numbers_follow_the_class(old: str, new: str) -> None:
    request, notes = created(SOURCE | {"EnvironmentClass": old}, EnvironmentClass=new, MaxWorkers=1)
    numbers = {"Schedulers", "MinWebservers", "MaxWebservers", "MinWorkers", "MaxWorkers"} & set(request)
    assert (numbers, request["MaxWorkers"]) == ({"MaxWorkers"}, 1)
    assert f"the service's defaults for {new}" in notes[-1]
    assert created(SOURCE | {"EnvironmentClass": old}).request["Schedulers"] == 3


FINAL: dict[str, Any] = {
    "WebserverAccessMode": "PUBLIC_AND_PRIVATE",
    "IdentityCenterConfiguration": {"StartUrl": "https://d-1234567890.awsapps.com/start"},
    "Teams": {"one": {"SourceBucketArn": "arn:aws:s3:::dags", "DagS3Path": "one/dags"}},
    "RequirementsS3Path": "three.txt",
    "RequirementsS3ObjectVersion": "v3",
}


def test_what_only_the_final_version_takes_comes_with_the_last_hop() -> None:
    overrides = FINAL | {"MaxWorkers": 1}
    assert overriding.at_creation(overrides, "2.11.2", ["3.2.1"]) == {"MaxWorkers": 1}
    assert overriding.at_hop(overrides, "2.11.2", ["3.0.6", "3.2.1"], "3.0.6") == {}
    given = overriding.at_hop(overrides, "2.11.2", ["3.2.1"], "3.2.1")
    assert given == FINAL | {"Teams": {"AddOrUpdate": FINAL["Teams"]}}
    request, _ = hop_request(SOURCE, SOURCE, airflow_version="3.2.1", overrides={}, files=FILES, given=given)
    assert (request["RequirementsS3Path"], request["RequirementsS3ObjectVersion"]) == ("three.txt", "v3")
    assert requests.model_problems(request, UPDATE) == []


def test_without_a_hop_the_creation_has_all_overrides() -> None:
    assert overriding.at_creation(FINAL, "3.2.1", []) == FINAL
    assert overriding.at_hop(FINAL, "3.2.1", [], "3.2.1") == {}
    assert overriding.at_creation({"WebserverAccessMode": "PUBLIC_ONLY"}, "2.11.2", ["3.2.1"]) != {}


def test_what_the_sdk_drops_is_named() -> None:
    client: Any = boto3.client("mwaa", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="a")
    answer: dict[str, Any] = {"Name": "p", "NewField": {"a": 1}, "Gone": None, "LoggingConfiguration": {"NewLogs": {}}}

    def send(request: Any, **_: Any) -> Any:
        response: Any = AWSResponse(request.url, 200, HTTPHeaders(), None)
        response._content = json.dumps({"Environment": answer}).encode()
        return response

    client.meta.events.register("before-send.mwaa.GetEnvironment", send)
    assert environment.unread_fields(client, "p") == ["LoggingConfiguration.NewLogs", "NewField"]


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
