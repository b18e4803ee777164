"""Findings in the deployed state machines: a part of `make template`.

They are held to the Amazon States Language by asl-validator, and each of their expressions to JSONata by its reference
implementation. moto, which executes them in tests, is neither.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from local.aws.stepfunctions import definitions
from tools.state_machines import DEPLOYED, NAMES

_PARTITION = "aws"
# What SAM fills in, by the ends of the names.
_ARNS = {
    "FunctionArn": f"arn:{_PARTITION}:lambda:us-east-1:123456789012:function:{{}}",
    "StateMachineArn": f"arn:{_PARTITION}:states:us-east-1:123456789012:stateMachine:{{}}",
}


def deployed(name: str) -> dict[str, Any]:
    """A definition as CloudFormation gets it, with ARNs of some account for those of the stack's resources."""
    text = (DEPLOYED / f"{name}.asl.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(re.sub(r"\$\{(\w+)\}", lambda found: _filled_in(found[1]), text))
    return content


def _filled_in(name: str) -> str:
    if name == "Partition":
        return "aws"
    return next(arn.format(name.removesuffix(end)) for end, arn in _ARNS.items() if name.endswith(end))


def main() -> int:
    found = definitions.findings([deployed(name) for name in NAMES])
    for name, findings in zip(NAMES, found, strict=True):
        for finding in findings:
            sys.stderr.write(f"{name}: {finding.location}: {finding.code}: {finding.message}\n")
    return 1 if any(found) else 0


if __name__ == "__main__":
    sys.exit(main())
