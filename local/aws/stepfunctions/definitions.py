"""What speaks against a state machine's definition, by others than moto: asl-validator, and JSONata's own parser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.installations import node_packages

_SCRIPT = Path(__file__).with_name("definition_findings.js")


@dataclass(frozen=True)
class Finding:
    """One diagnostic of ValidateStateMachineDefinition; `location` is a JSON pointer, or empty."""

    code: str
    message: str
    location: str


def findings(definitions: Sequence[Mapping[str, Any]]) -> list[list[Finding]]:
    """The findings of each definition, whose placeholders are filled in.

    Raises:
        local.installations.node_packages.NodeFailed: the packages cannot be installed, or what they run has failed.
    """
    return [[Finding(**found) for found in each] for each in node_packages.run(_SCRIPT, list(definitions))]
