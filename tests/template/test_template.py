"""What is deployed is what is run: the template, the state machine, the functions and the docs say the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from migration.environments.environment import THROW_AWAY_TAG
from tools import bill_of_materials, state_machines
from tools.generated_docs import PAGES, renewed, statements, tasks, template

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
# Which state of which machine executes which other.
NESTED = {
    ("migrate", "CopyLogsEarly"): "CopyLogsStateMachine",
    ("migrate", "CopyLogs"): "CopyLogsStateMachine",
    ("rehearse", "Rehearse"): "MigrateStateMachine",
}
SCHEDULED = {"ScheduledRehearsal": "${RehearseStateMachine}", "ScheduledSweep": "${SweepFunction.Arn}"}
TASKS = {name: state for file in MACHINES for name, state in tasks(file).items()}
# Statements whose actions have no resources (Service Authorization Reference).
WITHOUT_RESOURCES = ("Networks", "ListOfEnvironments", "Prices", "NumberOfDags")
# AWS's own limit of a function's policies, and what the functions' folder holds besides the functions.
SHARED = "migration"


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


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_may_do_everything(name: str) -> None:
    for statement in statements(FUNCTIONS[name]):
        assert not any("*" in action for action in statement["Action"])
        # Keys of DAG buckets and environments are the user's: only through the service that uses them.
        if statement["Resource"] == "*" and statement["Sid"] not in WITHOUT_RESOURCES:
            assert "kms:ViaService" in str(statement["Condition"])


@pytest.mark.parametrize("name", [name for name, item in template()["Parameters"].items()])
def test_each_parameter_has_a_sentence(name: str) -> None:
    assert re.fullmatch(r"[A-Z].{30,}\.", template()["Parameters"][name]["Description"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_generated_docs_are_fresh(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert renewed(text) == text, "run `make generate`"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One function's package, as `sam build` has it made."""
    folder = tmp_path_factory.mktemp("package")
    subprocess.run(
        ["make", "--silent", "build-PlanFunction", f"ARTIFACTS_DIR={folder}", f"PYTHON={sys.executable}"],
        cwd=ROOT / "functions",
        check=True,
    )
    return folder


def test_a_package_is_small_and_brings_no_sdk(package: Path) -> None:
    size = sum(file.stat().st_size for file in package.rglob("*") if file.is_file())
    assert size <= 10 * 1000 * 1000
    assert not {"boto3", "botocore", "urllib3"} & {item.name for item in package.iterdir()}


def test_a_package_has_what_it_runs_and_stages(package: Path) -> None:
    for module in MODULES:
        assert (package / f"{module}.py").is_file()
    names = ("plan/input.schema.json", "report/report.schema.json", "airflow/renamed_options.json", "report/page.html")
    for name in (*names, "logs/copy_logs.schema.json"):
        assert (package / SHARED / name).is_file()
    ours = {file.relative_to(ROOT / "dags") for file in (ROOT / "dags").rglob("*.py")}
    assert {file.relative_to(package / "dags") for file in (package / "dags").rglob("*.py")} == ours
    assert not list(package.rglob("__pycache__"))


def test_the_bill_of_materials_has_what_is_packaged(package: Path, tmp_path: Path) -> None:
    layer = tmp_path / "SomeLayer"
    (about,) = package.glob("jinja2-*.dist-info")
    shutil.copytree(about, layer / "python" / about.name)
    text = bill_of_materials.rendered(bill_of_materials.bill([package, layer]))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    told = json.loads(text)
    locked = set(
        re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "functions" / "requirements.txt").read_text(), re.MULTILINE)
    )
    assert {(item["name"], item["version"]) for item in told["components"]} == locked
    assert all(item["licenses"] and item["purl"] == item["bom-ref"] for item in told["components"])
    (jinja,) = (item for item in told["components"] if item["name"] == "jinja2")
    assert [held["value"] for held in jinja["properties"]] == sorted([package.name, "SomeLayer"])
    (needed,) = (item["dependsOn"] for item in told["dependencies"] if item["ref"] == jinja["bom-ref"])
    assert [ref.partition("@")[0] for ref in needed] == ["pkg:pypi/markupsafe"]


def test_only_the_function_that_runs_it_has_the_layer() -> None:
    having = {name: properties["Layers"] for name, properties in FUNCTIONS.items() if "Layers" in properties}
    assert having == {"CheckFilesFunction": ["${RuffLayer}"]}
    layer = RESOURCES["RuffLayer"]["Properties"]
    everywhere = template()["Globals"]["Function"]
    assert layer["CompatibleArchitectures"] == everywhere["Architectures"]
    assert layer["CompatibleRuntimes"] == [everywhere["Runtime"]]


def test_a_layer_is_a_program_for_lambda_that_may_be_executed(tmp_path: Path) -> None:
    subprocess.run(
        ["make", "--silent", "build-RuffLayer", f"ARTIFACTS_DIR={tmp_path}", f"PYTHON={sys.executable}"],
        cwd=ROOT / "layers" / "ruff",
        check=True,
    )
    program = tmp_path / "bin" / "ruff"
    assert os.access(program, os.X_OK)
    # ELF, and for which machine: 183 is AArch64.
    head = program.read_bytes()[:20]
    assert (head[:4], int.from_bytes(head[18:20], "little")) == (b"\x7fELF", 183)
    assert {item.name for item in tmp_path.iterdir()} == {"bin", "python", "requirements.txt"}


def test_the_layer_has_the_release_that_the_tests_run() -> None:
    locked = [
        re.search(r"^ruff==(\S+)", file.read_text(), re.MULTILINE)
        for file in (ROOT / "requirements" / "dev.txt", ROOT / "layers" / "ruff" / "requirements.txt")
    ]
    assert len({found[1] for found in locked if found}) == 1
