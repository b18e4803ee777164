"""What is deployed is what is run: the template, the state machine, the functions and the docs say the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from migration.environments.environment import THROW_AWAY_TAG
from tools import dashboard, state_machines, vpc_endpoints
from tools.generated_docs import PAGES, renewed
from tools.template import statements, tasks, template, unconditional_statements

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
MODULES = {file.stem for file in (ROOT / "functions").glob("*.py")}
RESOURCES: dict[str, dict[str, Any]] = template()["Resources"]
FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Serverless::Function"
}
MACHINES = {
    "migrate": "MigrateStateMachine",
    "copy_logs": "CopyLogsStateMachine",
    "rehearse": "RehearseStateMachine",
}
ROLES = {**FUNCTIONS, **{name: RESOURCES[name]["Properties"] for name in MACHINES.values()}}
SHARED_POLICIES = [name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::IAM::ManagedPolicy"]
# Which state of which machine executes which other.
NESTED = {
    ("migrate", "CopyLogsEarly"): "CopyLogsStateMachine",
    ("migrate", "CopyLogs"): "CopyLogsStateMachine",
    ("rehearse", "Rehearse"): "MigrateStateMachine",
}
SCHEDULED = {"ScheduledRehearsal": "${RehearseStateMachine}", "ScheduledSweep": "${SweepFunction.Arn}"}
TASKS = {name: state for file in MACHINES for name, state in tasks(file).items()}
# Statements whose actions have no resources (Service Authorization Reference).
WITHOUT_RESOURCES = ("Networks", "NetworksOfEnvironments", "ListOfEnvironments", "Prices", "NumberOfDags")
# What Amazon MWAA's user guide gives to whoever creates and updates environments (AmazonMWAAFullApiAccess), besides the
# calls of its own API and iam:CreateServiceLinkedRole, with the actions that its patterns stand for.
CALLERS_RIGHTS = {
    "iam:PassRole",
    "s3:GetEncryptionConfiguration",
    "ec2:CreateNetworkInterface",
    "ec2:CreateVpcEndpoint",
    *(f"ec2:Describe{what}" for what in ("RouteTables", "SecurityGroups", "Subnets", "Vpcs")),
}
CALLERS_RIGHTS_ON_A_KEY = {
    *(f"kms:{action}" for action in ("CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "ListGrants", "RevokeGrant")),
    *(f"kms:GenerateDataKey{kind}" for kind in ("", "Pair", "PairWithoutPlaintext", "WithoutPlaintext")),
    *(f"kms:ReEncrypt{end}" for end in ("From", "To")),
}
#: IAM's quota of managed policies for a role, and those that SAM adds: of logs or the VPC, and of traces.
MANAGED_POLICIES, OF_SAM = 10, 2


@pytest.mark.parametrize("command", [["cfn-lint", "template.yaml"], ["sam", "validate", "--lint"]], ids=lambda c: c[0])
def test_no_findings(command: list[str]) -> None:
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "SAM_CLI_TELEMETRY": "0",
            "HOME": str(ROOT / "build"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_module_is_a_function_and_each_function_a_module() -> None:
    assert {properties["Handler"] for properties in FUNCTIONS.values()} == {f"{module}.handler" for module in MODULES}
    for name, properties in FUNCTIONS.items():
        module = properties["Handler"].split(".")[0]
        assert name == "".join(word.title() for word in module.split("_")) + "Function"


def test_each_function_is_called_by_a_state_and_each_state_calls_a_function() -> None:
    assert {state["Arguments"]["FunctionName"] for state in TASKS.values()} == {f"${{{name}Arn}}" for name in FUNCTIONS}


@pytest.mark.parametrize("file", MACHINES)
def test_a_state_machine_may_call_its_functions_and_no_others(file: str) -> None:
    called = {state["Arguments"]["FunctionName"][2:-4] for state in tasks(file).values()}
    properties = RESOURCES[MACHINES[file]]["Properties"]
    given = {name: value for name, value in properties["DefinitionSubstitutions"].items() if "Function" in name}
    assert given == {f"{name}Arn": f"${{{name}.Arn}}" for name in called}
    assert set(statements(properties)[0]["Resource"]) == {f"${{{name}.Arn}}" for name in called}


@pytest.mark.parametrize(("file", "state"), NESTED)
def test_a_state_machine_starts_one_other_and_nothing_else(file: str, state: str) -> None:
    started = NESTED[file, state]
    properties = RESOURCES[MACHINES[file]]["Properties"]
    assert state_machines.definition(file)["States"][state]["Arguments"]["StateMachineArn"] == f"${{{started}Arn}}"
    assert properties["DefinitionSubstitutions"][f"{started}Arn"] == f"${{{started}}}"
    allowed = [item["Resource"] for item in statements(properties) if "states:StartExecution" in item["Action"]]
    assert allowed == [f"${{{started}}}"]
    (execution,) = [item["Resource"] for item in statements(properties) if "states:StopExecution" in item["Action"]]
    name = RESOURCES[started]["Properties"]["Name"]
    assert execution == f"arn:${{AWS::Partition}}:states:${{AWS::Region}}:${{AWS::AccountId}}:execution:{name}:*"


@pytest.mark.parametrize("name", SCHEDULED)
def test_a_schedule_may_start_its_target_and_tell_what_it_could_not(name: str) -> None:
    target = RESOURCES[name]["Properties"]["Target"]
    assert target["Arn"] == SCHEDULED[name]
    assert target["DeadLetterConfig"] == {"Arn": "${DeadLetters.Arn}"}
    role = RESOURCES[target["RoleArn"][2:-1].split(".")[0]]
    assert role.get("Condition") == RESOURCES[name].get("Condition")
    (trusted,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "scheduler.amazonaws.com"}
    action = "states:StartExecution" if "StateMachine" in target["Arn"] else "lambda:InvokeFunction"
    (policy,) = role["Properties"]["Policies"]
    assert {(*item["Action"], item["Resource"]) for item in policy["PolicyDocument"]["Statement"]} == {
        (action, SCHEDULED[name]),
        ("sqs:SendMessage", "${DeadLetters.Arn}"),
    }


def test_the_schedule_of_sweeps_sends_what_the_function_reads() -> None:
    sent = RESOURCES["ScheduledSweep"]["Properties"]["Target"]["Input"]
    assert json.loads(sent.replace("${SweepAfterHours}", "12")) == {"olderThanHours": 12}


def test_what_is_scheduled_only_deletes_what_was_made_to_be_thrown_away() -> None:
    (deletes,) = [
        item for item in statements(FUNCTIONS["SweepFunction"]) if "airflow:DeleteEnvironment" in item["Action"]
    ]
    assert deletes["Condition"] == {"StringEquals": {f"aws:ResourceTag/{THROW_AWAY_TAG}": "true"}}


def test_what_rehearsals_need_the_next_time_is_not_deleted_by_age() -> None:
    rules = RESOURCES["ExchangeBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    aged = {rule["Prefix"] for rule in rules if "ExpirationInDays" in rule}
    assert aged == {"artifacts/", "migrations/", "locks/", "log-copies/"}


@pytest.mark.parametrize("name", TASKS)
def test_a_state_waits_longer_than_its_function_runs(name: str) -> None:
    function = TASKS[name]["Arguments"]["FunctionName"][2:-4]
    assert TASKS[name]["TimeoutSeconds"] > FUNCTIONS[function]["Timeout"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_variables_that_its_code_reads(name: str) -> None:
    module = FUNCTIONS[name]["Handler"].split(".")[0]
    code = (ROOT / "functions" / f"{module}.py").read_text()
    read = {
        "exchange_bucket": "EXCHANGE_BUCKET",
        "key_arn": "KEY_ARN",
        "topic_arn": "TOPIC_ARN",
        "import_version": "IMPORT_VERSION",
        "log_quotas": "LOG_QUOTAS",
    }
    wanted = {variable for reader, variable in read.items() if f"settings.{reader}()" in code}
    assert set(FUNCTIONS[name].get("Environment", {}).get("Variables", {})) == wanted


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_that_calls_web_servers_can_run_in_their_vpc(name: str) -> None:
    module = FUNCTIONS[name]["Handler"].split(".")[0]
    code = (ROOT / "functions" / f"{module}.py").read_text()
    calls = any(use in code for use in ("runs.cli(", "runs.final_cli(", "cleaning.clean("))
    assert ("VpcConfig" in FUNCTIONS[name]) == calls
    allowed = {action for statement in statements(FUNCTIONS[name]) for action in statement["Action"]}
    assert ("airflow:CreateCliToken" in allowed) == calls


def test_everything_that_a_function_in_the_vpc_calls_has_its_endpoint() -> None:
    """An action of a service without one is a KeyError."""
    found = {endpoint.name: endpoint.functions for endpoint in vpc_endpoints.endpoints()}
    assert set(found) == {"s3", "airflow.api", "airflow.env", "kms", "sns", "states", "logs", "pricing.api", "xray"}
    # The tokens of the CLI are what they are in the VPC for.
    assert found["airflow.env"] == list(vpc_endpoints.functions_in_vpc())
    assert found["kms"] == ["CleanUpFunction", "SweepFunction"]
    assert found["pricing.api"] == ["ReportFunction"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_may_do_everything(name: str) -> None:
    for statement in statements(FUNCTIONS[name]):
        assert not any("*" in action for action in statement["Action"])
        # Keys of DAG buckets and environments are the user's: only through the service that uses them.
        if statement["Resource"] == "*" and statement["Sid"] not in WITHOUT_RESOURCES:
            assert "kms:ViaService" in str(statement["Condition"])


@pytest.mark.parametrize("name", ["CreateEnvironmentFunction", "UpdateEnvironmentFunction"])
def test_who_configures_an_environment_has_the_rights_that_mwaa_documents(name: str) -> None:
    every_stack = {action for said in unconditional_statements(FUNCTIONS[name]) for action in said["Action"]}
    assert every_stack >= CALLERS_RIGHTS
    # The others are those of the exchange bucket's key.
    assert every_stack & CALLERS_RIGHTS_ON_A_KEY <= {"kms:Decrypt", "kms:GenerateDataKey"}
    (on_keys,) = [said for said in statements(FUNCTIONS[name]) if said["Sid"] == "EnvironmentKeys"]
    assert set(on_keys["Action"]) == CALLERS_RIGHTS_ON_A_KEY
    assert on_keys["Resource"] == "${EnvironmentKeyArns}"


def test_a_log_group_is_named_with_or_without_its_streams() -> None:
    for name in ("ListLogStreamsFunction", "CopyLogEventsFunction", "CheckFilesFunction"):
        resources = [
            said["Resource"] for said in statements(FUNCTIONS[name]) if "LogGroupArns" in str(said["Resource"])
        ]
        assert resources == [["${LogGroupArns}", "${LogGroupArns}:*"]]


@pytest.mark.parametrize("name", SHARED_POLICIES)
def test_a_policy_that_is_shared_is_given_to_several_roles(name: str) -> None:
    having = [role for role, properties in ROLES.items() if f"${{{name}}}" in properties["Policies"]]
    assert len(having) > 1


@pytest.mark.parametrize("name", ROLES)
def test_a_role_has_no_more_managed_policies_than_iam_takes(name: str) -> None:
    shared = [policy for policy in ROLES[name]["Policies"] if isinstance(policy, str)]
    assert len(shared) + OF_SAM <= MANAGED_POLICIES
    assert len(set(shared)) == len(shared)


@pytest.mark.parametrize("name", [name for name, item in template()["Parameters"].items()])
def test_each_parameter_has_a_sentence(name: str) -> None:
    assert re.fullmatch(r"[A-Z].{30,}\.", template()["Parameters"][name]["Description"])


def test_the_dashboard_is_fresh() -> None:
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    assert dashboard.renewed(text) == text, "run `make generate`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_generated_docs_are_fresh(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert renewed(text) == text, "run `make generate`"


def test_only_the_function_that_runs_it_has_the_layer() -> None:
    having = {name: properties["Layers"] for name, properties in FUNCTIONS.items() if "Layers" in properties}
    assert having == {"CheckFilesFunction": ["${RuffLayer}"]}
    layer = RESOURCES["RuffLayer"]["Properties"]
    everywhere = template()["Globals"]["Function"]
    assert layer["CompatibleArchitectures"] == everywhere["Architectures"]
    assert layer["CompatibleRuntimes"] == [everywhere["Runtime"]]
