"""What a program that runs a local AWS sets up first: its signals, and its loggers."""

from __future__ import annotations

import logging
import os
import signal
from types import FrameType


def interrupt_on_sigterm() -> None:
    """SIGTERM raises KeyboardInterrupt from now on, so that a terminated process cleans up as an interrupted one."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def silence_expected_errors() -> None:
    """Silences libraries that log each failure that a state machine catches, and resources that moto does not make."""
    for library in ("moto", "samtranslator"):
        logging.getLogger(library).setLevel(os.environ.get("LOG_LEVEL", "CRITICAL"))
