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


def build() -> Path:
    """The built template, with the functions' packages beside it; built now if something has changed.

    Raises:
        local.aws.deployment.BuildFailed: sam failed.
    """
    return deployment.build(TEMPLATE, ROOT / ".aws-sam" / "build")


def deploy(aws: LocalAws, parameters: Mapping[str, str] | None = None, template: Path | None = None) -> Deployment:
    """Deploys the application: a template that is already built, or by default the one that `build` gives.

    Raises:
        local.aws.deployment.BuildFailed, local.aws.deployment.DeploymentFailed
    """
    return aws.deploy(template or build(), STACK_NAME, parameters)
