"""The work of a task in a process of its own, for tasks that Airflow 3 keeps out of the metadata database.

The task's own process has Airflow imported, without an engine and for good. This one imports it anew, from an
environment that says where the database is (``worker_environment.py``). ``run_work.py`` is the other end.

The first line of its standard input is ``{"task", "storage", "options", "run_id"}``. It answers with a line that begins
with ANSWER, ``{"result"}`` or ``{"error": {"name", "message"}}``. What else Airflow prints to standard output goes to
the task's log.
"""

from __future__ import annotations

import json
import logging
import subprocess
from typing import Any, Callable, Dict

from mwaa_migrator import child_process, errors
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import WorkerDied

ANSWER = "mwaa_migrator: the task's answer: "

_log = logging.getLogger(__name__)


def work_in_process(
    name: str,
    storage: Storage,
    options: Dict[str, Any],
    run_id: str,
    started: Callable[[subprocess.Popen[str]], None] = lambda process: None,
) -> Dict[str, Any]:
    """What the work of the task ``name`` returns; raises what it raises, or WorkerDied if it ends without a word.

    ``started`` gets the process, for whoever may have to end it.
    """
    process = child_process.start("mwaa_migrator.dag_tasks.run_work", errors="replace")
    started(process)
    assert process.stdin
    assert process.stdout
    answer: Dict[str, Any] | None = None
    with child_process.killed_on_error(process):
        request = {"task": name, "storage": storage.url, "options": options, "run_id": run_id}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        for line in process.stdout:
            if line.startswith(ANSWER):
                answer = json.loads(line[len(ANSWER) :])
            else:
                _log.info(line.rstrip())
        code = process.wait()
    if answer is None:
        raise WorkerDied(f"The process of the task {name} ended with code {code} before it answered. Try again.")
    if "error" in answer:
        raise getattr(errors, answer["error"]["name"])(answer["error"]["message"])
    return dict(answer["result"])
