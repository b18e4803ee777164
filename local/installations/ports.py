"""TCP ports of 127.0.0.1."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port on which nobody listens now. Between the choice and its use, somebody else can take it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_open(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
