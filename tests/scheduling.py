"""Which worker runs which file: there is one for each core, and a spare one for the time in which those wait."""

from __future__ import annotations

import os
from collections.abc import Iterable

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

#: Folders whose tests ask nothing of a running Airflow, so they may take as long as they like.
_PATIENT = ("tests/unit/", "tests/template/", "tests/statemachine/", "tests/integration/engine/")
#: What the spare worker and its children yield to the others: a real Airflow must answer in time.
_NICENESS = 5
_CORES = os.cpu_count() or 1


def next_file(waiting: Iterable[str], *, spare: bool) -> str | None:
    """The file that a worker takes of those that wait, which are in the order of a run.

    A spare worker takes patient files only; the others take those last. None where there is none for it.
    """
    files = list(waiting)
    patient = next((file for file in files if file.startswith(_PATIENT)), None)
    impatient = next((file for file in files if not file.startswith(_PATIENT)), None)
    return patient if spare else impatient or patient


def yield_if_spare(worker: str) -> None:
    """Lowers the priority of this process if it is a spare worker (`gw2` on two cores)."""
    if _number(worker) >= _CORES:
        os.nice(_NICENESS)


class SpareWorkerScheduling(LoadFileScheduling):  # type: ignore[misc]
    """A file's tests run in one process, which `next_file` chooses."""

    def schedule(self) -> None:
        # Where there are more workers than files, the last ones end: the spare one first.
        for node in sorted(self.nodes, key=lambda node: _number(node.gateway.id)):
            self.assigned_work[node] = self.assigned_work.pop(node)
        super().schedule()

    def _assign_work_unit(self, node: WorkerController) -> None:
        file = self._next_for(node)
        if file is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if self.workqueue and not node.shutting_down and self._next_for(node) is None:
            node.shutdown()
            return
        super()._reschedule(node)

    def _next_for(self, node: WorkerController) -> str | None:
        return next_file(self.workqueue, spare=self.nodes.index(node) >= _CORES)


def _number(worker: str) -> int:
    return int(worker.removeprefix("gw"))
