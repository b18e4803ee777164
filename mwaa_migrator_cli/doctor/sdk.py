"""Which AWS SDK the functions run with: it is Lambda's own, and drops fields of answers that it does not know."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3

from .finding import Check, Finding, as_expected, asking

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

SDK = Check(
    "sdk",
    "Which boto3 do the functions run with?",
    "at least that of this command, so that what get-environment found holds for them too",
    "The functions may not know every field of an environment. The target gets none of those; a migration names them "
    "in its plan. Set them after the cut-over.",
    stops=False,
)
CHECKS = (SDK,)

# What a function writes can arrive after its answer.
_MOST_INVOCATIONS = 5
# Each line of the functions' logs has it.
_VERSION = re.compile(r'"sdk":\s*"([\d.]+)"')


def findings(functions: LambdaClient, name: str) -> Iterator[Finding]:
    """Invokes a function with an event that it refuses before it does anything, and reads its log."""
    yield from asking(SDK, "functions", lambda: _sdk(functions, name))


def _sdk(functions: LambdaClient, name: str) -> Finding:
    for _ in range(_MOST_INVOCATIONS):
        answer = functions.invoke(FunctionName=name, Payload=b"{}", LogType="Tail")
        log = base64.b64decode(answer.get("LogResult", "")).decode("utf-8", "replace")
        found = _VERSION.search(log)
        if found is not None:
            break
    else:
        return Finding(SDK, "functions", "unknown", "the function's log does not say")
    is_new_enough = _numbers(found[1]) >= _numbers(boto3.__version__)
    return as_expected(SDK, "functions", is_new_enough, f"{found[1]}, and this command {boto3.__version__}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
