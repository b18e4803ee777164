"""This project's application in a local AWS: its template, built and deployed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from local.aws import deployment
from local.aws.deployment import Deployment
from local.aws.local_aws import LocalAws
from local.installations.folders import ROOT

TEMPLATE = ROOT / "template.yaml"
STACK_NAME = "mwaa-migrator"
#: The logical id of the state machine that each mode starts, and of the bucket that has the reports.
STATE_MACHINES = {"rehearse": "RehearseStateMachine", "migrate": "MigrateStateMachine"}
EXCHANGE_BUCKET = "ExchangeBucket"


def build() -> Path:
    """Builds the application if something has changed; returns the built template, beside which the packages are.

    Raises:
        local.aws.deployment.BuildFailed: sam failed.
    """
    return deployment.build(TEMPLATE, ROOT / ".aws-sam" / "build")


def deploy(aws: LocalAws, parameters: Mapping[str, str] | None = None, template: Path | None = None) -> Deployment:
    """Deploys the application, from a template that is built already, or by default from the one that `build` makes.

    Raises:
        local.aws.deployment.BuildFailed, local.aws.deployment.DeploymentFailed
    """
    return aws.deploy(template or build(), STACK_NAME, parameters)
