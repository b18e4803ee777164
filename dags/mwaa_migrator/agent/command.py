"""``mwaa_migrator.pyz agent``: checks what is there, then serves a migration until it is ended."""

from __future__ import annotations

import signal
import threading
from typing import Any, Dict

from mwaa_migrator.agent.check import check
from mwaa_migrator.agent.serve import Agent
from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.artifact.manifest import check_id
from mwaa_migrator.artifact.s3_storage import S3Storage
from mwaa_migrator.errors import InvalidArguments
from mwaa_migrator.progress import Progress


def run_agent(exchange: str, migration_id: str, checks_only: bool, progress: Progress) -> Dict[str, Any]:
    """What ``check`` has found, and if that has no problems, after the agent was ended by SIGINT or SIGTERM."""
    place = open_storage(exchange).child(check_id(migration_id))
    if not isinstance(place, S3Storage):
        raise InvalidArguments(f"An agent takes its requests from S3, and {exchange} is no s3://bucket/prefix.")
    found = check(place, progress)
    if not found["problems"] and not checks_only:
        agent = Agent(place, progress)
        for number in (signal.SIGINT, signal.SIGTERM):
            # From a thread, because a handler interrupts whatever the agent does, and may find its locks taken.
            signal.signal(number, lambda *_: threading.Thread(target=agent.end, daemon=True).start())
        agent.serve()
        progress.say("agent: ended; started again, it goes on")
    return found
