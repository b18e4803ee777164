"""A record of what roles called, for comparing what is granted with what is used."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from local.aws.iam.policy_evaluation import Decision


@dataclass(frozen=True)
class Call:
    """One action of a role on a resource, and whether it was allowed."""

    role_arn: str
    action: str
    resource: str
    decision: Decision


class CallRecord:
    """Counts equal calls; several threads may add to it."""

    def __init__(self) -> None:
        self._calls: dict[Call, int] = {}
        self._lock = threading.Lock()

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls[call] = self._calls.get(call, 0) + 1

    def calls(self) -> dict[Call, int]:
        """Each distinct call with the times that it was made, in the order of the first."""
        with self._lock:
            return dict(self._calls)
