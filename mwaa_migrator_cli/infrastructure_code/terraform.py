"""Terraform's resource for an environment, with the block that imports it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .environment_resource import EnvironmentResource, Secret

# Terraform has these as nested blocks, all other maps as arguments.
_BLOCKS = ("NetworkConfiguration", "LoggingConfiguration")


def configuration(resource: EnvironmentResource) -> str:
    """The configuration in HCL, as `terraform fmt` leaves it."""
    return "\n".join(_lines(resource)) + "\n"


def _lines(resource: EnvironmentResource) -> Iterator[str]:
    label = "_".join(resource.words)
    yield f"# {resource.name} as it is. `terraform plan` shows an import and no change; `terraform apply` does it."
    yield "import {"
    yield f"  to = aws_mwaa_environment.{label}"
    yield f"  id = {_text(resource.name)}"
    yield "}"
    for secret in resource.secrets:
        yield ""
        yield f'variable "{_variable(secret)}" {{'
        yield f"  description = {_text(f'Airflow option {secret.option}')}"
        yield "  type        = string"
        yield "  sensitive   = true"
        yield "}"
    yield ""
    yield f'resource "aws_mwaa_environment" "{label}" {{'
    yield from _body(resource.properties, "  ")
    yield "}"


def _body(properties: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Arguments, aligned where they follow one another, then the blocks."""
    plain = {argument(name): value for name, value in properties.items() if not _is_block(name, value)}
    # `terraform fmt` aligns lines that stand together, and one that opens a map stands alone.
    scalars = {name: value for name, value in plain.items() if not isinstance(value, dict)}
    yield from _aligned(scalars, indent)
    for name, value in plain.items():
        if isinstance(value, dict):
            yield ""
            yield f"{indent}{name} = {{"
            yield from _aligned({_text(key): item for key, item in value.items()}, indent + "  ")
            yield f"{indent}}}"
    is_first = not plain
    for name, value in properties.items():
        if _is_block(name, value):
            if not is_first:
                yield ""
            is_first = False
            yield f"{indent}{argument(name)} {{"
            yield from _body(value, indent + "  ")
            yield f"{indent}}}"


def _aligned(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    width = max(map(len, values), default=0)
    for name, value in values.items():
        yield f"{indent}{name.ljust(width)} = {literal(value)}"


def _is_block(name: str, value: Any) -> bool:
    return isinstance(value, dict) and (name in _BLOCKS or name.endswith("Logs"))


def literal(value: Any) -> str:
    """A value in HCL; a secret is a variable."""
    if isinstance(value, Secret):
        return f"var.{_variable(value)}"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    return json.dumps(value)


def _text(value: str) -> str:
    """A quoted template without any expression: `${` and `%{` would begin one."""
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def argument(name: str) -> str:
    """The argument or block of a property: `dag_s3_path` of DagS3Path, `min_webservers` of MinWebservers."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _variable(secret: Secret) -> str:
    return "_".join(secret.words)
