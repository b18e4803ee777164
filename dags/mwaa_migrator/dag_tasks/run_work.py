"""The process that ``work_process.py`` starts: does the work of one task, and answers."""

from __future__ import annotations

import json
import queue
import sys
from typing import Any, Dict

from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.child_process import exit_with_parent
from mwaa_migrator.dag_tasks.tasks import TASKS
from mwaa_migrator.dag_tasks.work_process import ANSWER
from mwaa_migrator.errors import MigratorError
from mwaa_migrator.progress import Progress


def main() -> None:
    incoming: queue.Queue[str] = queue.Queue()
    exit_with_parent(incoming.put)
    request = json.loads(incoming.get())
    try:
        storage, work = open_storage(request["storage"]), TASKS[request["task"]].work
        result = work(storage, request["options"], Progress(sys.stderr), request["run_id"])
        answer: Dict[str, Any] = {"result": result}
    except MigratorError as error:
        answer = {"error": {"name": error.name, "message": str(error)}}
    sys.stdout.write("\n" + ANSWER + json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
