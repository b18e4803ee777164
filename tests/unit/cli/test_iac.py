"""An environment as code: every setting, no secret, and what each tool says of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from mwaa_migrator_cli.infrastructure_code.environment_resource import PROPERTIES
from tests.unit.functions.conftest import Environments

from .conftest import Run

SECRET = "hunter2"
GROUP = "arn:aws:logs:eu-west-1:123456789012:log-group:airflow-prod-2-10-Task:*"
TERRAFORM = """\
# prod-2-10 as it is. `terraform plan` shows an import and no change; `terraform apply` does it.
import {
  to = aws_mwaa_environment.prod_2_10
  id = "prod-2-10"
}

variable "smtp_smtp_password" {
  description = "Airflow option smtp.smtp_password"
  type        = string
  sensitive   = true
}

resource "aws_mwaa_environment" "prod_2_10" {
  name                 = "prod-2-10"
  airflow_version      = "2.10.3"
  execution_role_arn   = "arn:aws:iam::123456789012:role/airflow"
  source_bucket_arn    = "arn:aws:s3:::dags"
  dag_s3_path          = "dags"
  requirements_s3_path = "requirements.txt"
  max_workers          = 5

  airflow_configuration_options = {
    "core.dag_concurrency" = "9"
    "email.subject"        = "$${dag} \\"late\\""
    "smtp.smtp_password"   = var.smtp_smtp_password
  }

  tags = {
    "team" = "data"
  }

  network_configuration {
    subnet_ids         = ["subnet-0123456a", "subnet-0123456b"]
    security_group_ids = ["sg-0123456789abcdef0"]
  }

  logging_configuration {
    task_logs {
      enabled   = true
      log_level = "INFO"
    }
  }
}
"""
CDK = """\
// prod-2-10 as it is. `cdk import` takes it over without a change to it, and asks for its Name.
import * as cdk from "aws-cdk-lib";
import * as mwaa from "aws-cdk-lib/aws-mwaa";
import { Construct } from "constructs";

export class Prod210Stack extends cdk.Stack {
  constructor(scope: Construct, id: string, props?: cdk.StackProps) {
    super(scope, id, props);
    const smtpSmtpPassword = new cdk.CfnParameter(this, "SmtpSmtpPassword", \
{ noEcho: true, description: "Airflow option smtp.smtp_password" });
    const environment = new mwaa.CfnEnvironment(this, "Environment", {
      name: "prod-2-10",
      airflowVersion: "2.10.3",
      executionRoleArn: "arn:aws:iam::123456789012:role/airflow",
      sourceBucketArn: "arn:aws:s3:::dags",
      dagS3Path: "dags",
      requirementsS3Path: "requirements.txt",
      airflowConfigurationOptions: {
        "core.dag_concurrency": "9",
        "email.subject": "${dag} \\"late\\"",
        "smtp.smtp_password": smtpSmtpPassword.valueAsString,
      },
      networkConfiguration: {
        subnetIds: ["subnet-0123456a", "subnet-0123456b"],
        securityGroupIds: ["sg-0123456789abcdef0"],
      },
      loggingConfiguration: {
        taskLogs: {
          enabled: true,
          logLevel: "INFO",
        },
      },
      maxWorkers: 5,
      tags: {
        "team": "data",
      },
    });
    environment.applyRemovalPolicy(cdk.RemovalPolicy.RETAIN);
  }
}
"""


@pytest.fixture(autouse=True)
def environment(mwaa: Environments) -> dict[str, Any]:
    """An environment with a bit of everything, as GetEnvironment tells it."""
    found = mwaa.all["prod-2-10"]
    found |= {
        "Arn": "arn:aws:airflow:eu-west-1:123456789012:environment/prod-2-10",
        "MaxWorkers": 5,
        "LoggingConfiguration": {"TaskLogs": {"Enabled": True, "LogLevel": "INFO", "CloudWatchLogGroupArn": GROUP}},
        "NetworkConfiguration": {
            "SubnetIds": ["subnet-0123456a", "subnet-0123456b"],
            "SecurityGroupIds": ["sg-0123456789abcdef0"],
        },
        "Tags": {"team": "data", "aws:cloudformation:stack-name": "theirs"},
    }
    found["AirflowConfigurationOptions"] |= {"smtp.smtp_password": SECRET, "email.subject": '${dag} "late"'}
    return found


def test_cloudformation_has_every_setting(run: Run, environment: dict[str, Any], tmp_path: Path) -> None:
    told = run("iac", "prod-2-10", "--format", "cloudformation")
    assert (told.exit_code, told.stderr) == (0, "")
    template = yaml.safe_load(told.stdout)
    resource = template["Resources"]["Environment"]
    assert resource["DeletionPolicy"] == "Retain"
    assert resource["Properties"] == {
        name: value for name, value in environment.items() if name not in ("Arn", "Status")
    } | {
        "AirflowConfigurationOptions": environment["AirflowConfigurationOptions"]
        | {"smtp.smtp_password": {"Ref": "SmtpSmtpPassword"}},
        "LoggingConfiguration": {"TaskLogs": {"Enabled": True, "LogLevel": "INFO"}},
        "Tags": {"team": "data"},
    }
    assert template["Parameters"]["SmtpSmtpPassword"]["NoEcho"] is True
    file = tmp_path / "template.yaml"
    file.write_text(told.stdout)
    lint = Path(sys.executable).with_name("cfn-lint")
    linted = subprocess.run([lint, "--regions", "eu-west-1", "--", file], capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout) == (0, "")


def test_cloudformation_says_how_to_import(run: Run) -> None:
    lines = run("iac", "prod-2-10", "--format", "cloudformation").stdout.splitlines()
    (line,) = [line for line in lines if "--resources-to-import" in line]
    assert json.loads(line.split("'")[1]) == [
        {
            "ResourceType": "AWS::MWAA::Environment",
            "LogicalResourceId": "Environment",
            "ResourceIdentifier": {"Name": "prod-2-10"},
        }
    ]
    assert any("--parameters ParameterKey=SmtpSmtpPassword,ParameterValue=..." in line for line in lines)


def test_terraform(run: Run) -> None:
    assert run("iac", "prod-2-10", "--format", "terraform").stdout == TERRAFORM


@pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no terraform")
def test_terraform_is_as_terraform_fmt_leaves_it(run: Run, environment: dict[str, Any], tmp_path: Path) -> None:
    """`terraform validate` needs the provider, which no test downloads."""
    environment["LoggingConfiguration"]["SchedulerLogs"] = {"Enabled": False, "LogLevel": "ERROR"}
    environment |= {"WeeklyMaintenanceWindowStart": "SUN:03:30", "MinWorkers": 1}
    (tmp_path / "main.tf").write_text(run("iac", "prod-2-10", "--format", "terraform").stdout)
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-diff", "-no-color"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_cdk(run: Run) -> None:
    assert run("iac", "prod-2-10", "--format", "cdk").stdout == CDK


@pytest.mark.parametrize("form", ["cloudformation", "terraform", "cdk"])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("webserver.secret_key", SECRET),
        ("secrets.backend_kwargs", json.dumps({"token": SECRET})),
        # Of a section of the user's own, as requirements.txt reads them.
        ("index.pass", SECRET),
        ("index.pwd", SECRET),
        ("index.auth", SECRET),
        ("index.key", SECRET),
        ("index.apikey", SECRET),
        ("core.sql_alchemy_conn", f"postgresql://u:{SECRET}@h/d"),
        ("celery.broker_url", f"redis://:{SECRET}@h/0"),
        ("sentry.sentry_dsn", f"https://{SECRET}@sentry.example/1"),
        ("custom.endpoint", f"https://user:{SECRET}@example.com"),
    ],
)
def test_no_secret_is_printed(run: Run, environment: dict[str, Any], form: str, option: str, value: str) -> None:
    environment["AirflowConfigurationOptions"] = {option: value}
    told = run("iac", "prod-2-10", "--format", form)
    assert option in told.stdout
    assert SECRET not in told.stdout + told.stderr


def test_what_the_resource_does_not_have_is_named(run: Run, environment: dict[str, Any]) -> None:
    environment["Teams"] = [{"Name": "blue"}]
    told = run("iac", "prod-2-10", "--format", "terraform")
    assert told.stderr == "Left out, because AWS::MWAA::Environment does not have it: Teams\n"


@pytest.mark.parametrize("form", ["cloudformation", "terraform", "cdk"])
def test_a_name_that_begins_with_a_digit_makes_no_bad_identifier(
    run: Run, mwaa: Environments, environment: dict[str, Any], form: str
) -> None:
    mwaa.all["2-prod"] = environment | {"Name": "2-prod"}
    text = run("iac", "2-prod", "--format", form).stdout
    assert {"cloudformation": "Environment:", "terraform": "environment_2_prod", "cdk": "Environment2ProdStack"}[
        form
    ] in text


def test_an_environment_that_is_not_there(run: Run) -> None:
    told = run("iac", "prod-9", "--format", "cdk")
    assert told.exit_code == 2
    assert told.stderr == "There is no environment prod-9 in eu-west-1. Give its name and its --region.\n"


def test_properties_are_those_of_the_resource() -> None:
    """By CloudFormation's schema, as cfn-lint has it; what can only be written is not in GetEnvironment."""
    folder = files("cfnlint.data.schemas.providers.us_east_1")
    schema = json.loads(folder.joinpath("aws-mwaa-environment.json").read_text(encoding="utf-8"))
    unset = {path.split("/")[2] for path in schema["readOnlyProperties"] if path.count("/") == 2}
    unread = {path.split("/")[2] for path in schema["writeOnlyProperties"]}
    assert set(PROPERTIES) == schema["properties"].keys() - unset - unread
