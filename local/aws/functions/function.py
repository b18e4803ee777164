"""A Lambda function as a template describes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Function:
    """
    Attributes:
        package: the folder with its code.
        timeout: seconds.
        memory: megabytes.
        variables: the template's environment variables, resolved.
        reserved_concurrency: invocations that may run at once; None is no limit.
        layers: the folders of its layers; each has what Lambda would put under /opt.
        in_vpc: whether it has a VPC's subnets.
    """

    name: str
    arn: str
    handler: str
    runtime: str
    package: Path
    role_arn: str
    timeout: int = 3
    memory: int = 128
    variables: dict[str, str] = field(default_factory=dict)
    log_group: str = ""
    reserved_concurrency: int | None = None
    layers: tuple[Path, ...] = ()
    in_vpc: bool = False
