"""The cut-over by a run of our DAG in the target, which unpauses any number of DAGs in one statement.

The run waits for its request (dags/mwaa_migrator/dag_tasks/cut_over.py), so it may have been started early. Where it
cannot start, fails or does not answer, the request is withdrawn, and the CLI unpauses the DAGs. Never both: the run
reads the request again right before it commits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from migration import errors
from migration.airflow import our_dags, runs
from migration.aws import clients
from migration.exchange import layout
from migration.exchange.store import Store, of_artifact
from migration.model import Migration
from migration.observability import logger

_RUN = our_dags.CUT_OVER

_POLL_SECONDS = 1.5
# A worker that is up starts a task in a few seconds. Where a new one has to come first, the CLI is quicker.
_BEGINS_WITHIN = 60.0
# Ten tries for the locks on the DAGs' rows, of three seconds and a pause each.
_ENDS_WITHIN = 90.0
# A command of Airflow takes seconds, and only a run that has not begun is asked after.
_STATE_SECONDS = 15.0
# From the last look at the request to the commit, and on to the result, with time to spare.
_COMMIT_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`result` is the run's, if it has unpaused the DAGs; else `reason` says why the CLI has to."""

    result: dict[str, Any] | None
    reason: str | None


class CutOverRun:
    """The run of one migration; `clock` gives seconds that only go up."""

    def __init__(
        self,
        migration: Migration,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._migration = migration
        self._artifact: Store = of_artifact(clients.s3(), migration)
        self._id = runs.run_id(migration, _RUN)
        self._clock = clock
        self._sleep = sleep

    def start(self) -> str | None:
        """Makes sure that the run exists. Returns why it cannot be started, or None.

        Raises what the CLI endpoint raises where it answers to nothing: the CLI could not unpause the DAGs either.
        """
        withdrawn = self._withdrawn()
        if withdrawn is not None or self._has_begun() or self._result() is not None:
            return withdrawn
        cli = runs.cli(self._migration, _RUN)
        try:
            # Where the import has just run, our DAG is active. A hop has taken it out and it came back since.
            if self._migration["hops"] and not cli.unpause(our_dags.IMPORT):
                return "the target has not parsed our DAG since its upgrade"
            date, conf = runs.date_of(self._migration, _RUN), runs.conf(self._migration, _RUN)
            cli.trigger(our_dags.IMPORT, self._id, date, conf)
        except errors.DagRunRefused as error:
            return str(error)
        return None

    def unpause(self, dag_ids: list[str]) -> Outcome:
        """Has the run unpause the DAGs, and waits for it, two minutes and a half at most.

        Where it has not, it will not any more. Doing it again is harmless: a run unpauses once.
        """
        reason = self._withdrawn()
        if reason is None:
            # The same request again, if this function is called a second time.
            self._artifact.write(layout.CUT_OVER_REQUEST, {"dags": dag_ids, "withdrawn": None})
            reason = self._wait()
        if reason is not None:
            self.withdraw(reason)
            if self._has_begun():
                self._sleep(_COMMIT_SECONDS)
        result = self._result()
        if result is not None and result["status"] == "done":
            return Outcome(result=result, reason=None)
        logger.warning("the CLI unpauses the DAGs", extra={"reason": reason})
        return Outcome(result=None, reason=reason)

    def withdraw(self, reason: str) -> None:
        """Lets the run unpause nothing from now on, but for what it commits at this moment."""
        self._artifact.write(layout.CUT_OVER_REQUEST, {"dags": [], "withdrawn": reason})

    def _wait(self) -> str | None:
        """Waits for the run's end. Returns why the CLI has to do its work, or None if it is done."""
        started, asked, begun = self._clock(), self._clock(), None
        while True:
            result, now = self._result(), self._clock()
            if result is not None:
                return None if result["status"] == "done" else str(runs.failure({"the run": result}))
            if begun is None and self._has_begun():
                begun = now
            if begun is None and now - asked >= _STATE_SECONDS:
                asked = now
                if self._has_failed():
                    return "the run failed without a result"
            if begun is None and now - started >= _BEGINS_WITHIN:
                return f"the run has not begun within {_BEGINS_WITHIN:.0f} s"
            if begun is not None and now - begun >= _ENDS_WITHIN:
                return f"the run has not answered within {_ENDS_WITHIN:.0f} s"
            self._sleep(_POLL_SECONDS)

    def _has_failed(self) -> bool:
        cli, date = runs.cli(self._migration, _RUN), runs.date_of(self._migration, _RUN)
        try:
            return cli.run_state(our_dags.IMPORT, self._id, date).state == "failed"
        except errors.MigrationError as error:
            logger.warning("the CLI did not answer how far the run is", extra={"error_message": str(error)})
            return False

    def _result(self) -> dict[str, Any] | None:
        return runs.results(self._artifact, _RUN, self._id).get("import")

    def _has_begun(self) -> bool:
        return bool((self._artifact.read(layout.CUT_OVER_BEGUN) or {}).get("run_id") == self._id)

    def _withdrawn(self) -> str | None:
        reason: str | None = (self._artifact.read(layout.CUT_OVER_REQUEST) or {}).get("withdrawn")
        return reason
