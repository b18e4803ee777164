"""This project's application in a local AWS: its template, built and deployed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from local.aws.deployment import Deployment
from local.aws.local_aws import LocalAws
from local.installations.folders import ROOT
from tools import packages

TEMPLATE = ROOT / "template.yaml"
STACK_NAME = "mwaa-migrator"
#: The logical id of the state machine that each mode starts, and of the bucket that has the reports.
STATE_MACHINES = {"rehearse": "RehearseStateMachine", "migrate": "MigrateStateMachine"}
EXCHANGE_BUCKET = "ExchangeBucket"


def build() -> Path:
    """Makes the packages as the sources are now; returns the template that deploys them.

    Raises:
        tools.packages.PackagingFailed
    """
    packages.build()
    return TEMPLATE


def deploy(aws: LocalAws, parameters: Mapping[str, str] | None = None, template: Path | None = None) -> Deployment:
    """Deploys the application, from a template whose packages are built, or by default the one that `build` returns.

    Raises:
        tools.packages.PackagingFailed, local.aws.deployment.DeploymentFailed
    """
    return aws.deploy(template or build(), STACK_NAME, parameters)
