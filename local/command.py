"""What every command that runs a local AWS does about signals and about the noise of what it is made of."""

from __future__ import annotations

import logging
import os
import signal


def end_as_interrupted() -> None:
    """A terminated process cleans up as an interrupted one does: SIGTERM raises KeyboardInterrupt."""
    signal.signal(signal.SIGTERM, lambda *_: _interrupt())


def _interrupt() -> None:
    raise KeyboardInterrupt


def mute() -> None:
    """Silences what reports each failure that a state machine catches, and what docs/local-aws.md names as missing."""
    for noisy in ("moto", "samtranslator"):
        logging.getLogger(noisy).setLevel(os.environ.get("LOG_LEVEL", "CRITICAL"))
