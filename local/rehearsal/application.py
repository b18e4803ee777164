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


def build() -> Path:
    """The template, with the packages that it deploys made as the sources are now.

    Raises:
        tools.packages.PackagingFailed
    """
    packages.build()
    return TEMPLATE


def deploy(aws: LocalAws, parameters: Mapping[str, str] | None = None, template: Path | None = None) -> Deployment:
    """Deploys the application: another template whose packages are built, or by default the one that `build` gives.

    Raises:
        tools.packages.PackagingFailed, local.aws.deployment.DeploymentFailed
    """
    return aws.deploy(template or build(), STACK_NAME, parameters)
