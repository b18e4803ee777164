"""An invocation on its way through a function's process."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field


@dataclass
class Invocation:
    """
    Attributes:
        deadline: Unix time at which the function times out.
        answered: set when the process has answered, died, or was stopped.
    """

    event: bytes
    request_id: str
    arn: str
    deadline: float
    trace: str
    payload: bytes = b""
    failed: bool = False
    answered: threading.Event = field(default_factory=threading.Event)

    def answer(self, payload: bytes, failed: bool) -> None:
        """The first answer counts."""
        if not self.answered.is_set():
            self.payload, self.failed = payload, failed
            self.answered.set()


def error_payload(name: str, message: str) -> bytes:
    """A failed function's answer, as Lambda words it."""
    return json.dumps({"errorType": name, "errorMessage": message}).encode()
