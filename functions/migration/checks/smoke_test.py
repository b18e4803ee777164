"""Runs DAGs once in a rehearsal's target and compares them with their last runs in the source.

The source is not asked: its history has just been merged into the target and found equal there. A record for
each DAG, which the caller keeps between looks, says what has been done.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from migration import wording
from migration.airflow.cli import AirflowCli
from migration.checks.check_results import Check, Finding, Result
from migration.errors import CommandFailed, DagRunRefused
from migration.observability import logger
from migration.times import seconds_between

NAME = "Smoke test"
#: A run is slow if it takes more than SLOWER times as long as in the source, and over SECONDS_LONGER longer.
SLOWER, SECONDS_LONGER = 2.0, 30.0
# Of a function's 15 minutes, of which one command that hangs takes two; the next look does the rest.
_SECONDS = 400.0
# The scheduler may know a DAG a little later than the web server.
_TRIES = 5
# How many of the source's runs make its usual time.
_RUNS = 5
# A DAG that runs every minute has ten thousand runs in these.
_RECENT_DAYS = 7
_ENDED = ("success", "failed")


class Task(TypedDict):
    """A task of a run, its mapped instances taken together; `seconds` is None where it has not run."""

    task: str
    state: str
    seconds: float | None


class Run(TypedDict):
    """A run that has ended."""

    state: str
    seconds: float
    tasks: list[Task]


class Record(TypedDict):
    """How far the test of a DAG has come.

    `date` is the logical date of its run, `before` the source's last run and `usual` the seconds of its successful
    ones (None: there is none). `ran` is the run here. `refused` says why it could not be started, so many `tries` ago;
    `done` that nothing is left to do.
    """

    dag: str
    date: str | None
    before: Run | None
    usual: float | None
    tries: int
    refused: str | None
    started: bool
    ran: Run | None
    done: bool


def records(dags: Iterable[str]) -> list[Record]:
    """The records of a test that has not begun, one for each DAG."""
    return [
        Record(dag=dag, date=None, before=None, usual=None, tries=0, refused=None, started=False, ran=None, done=False)
        for dag in dict.fromkeys(dags)
    ]


def look(
    cli: AirflowCli, tested: list[Record], run_id: str, save: Callable[[], object], *, last: bool, missing: set[str]
) -> bool:
    """Starts what has not been started, looks at what runs, and pauses what has ended. True: nothing is left to do.

    Args:
        tested: is changed in place; `save` is called whenever what happened must not be forgotten.
        run_id: the runs' id in each DAG, always the same in one rehearsal.
        last: the time is up: what still runs is left as it is.
        missing: DAGs that the target has not parsed.

    Raises what the endpoint raises, and CommandFailed; another look goes on.
    """
    started = time.monotonic()
    for record in tested:
        if record["done"]:
            continue
        if time.monotonic() - started > _SECONDS and not last:
            break
        _step(cli, record, run_id, save, last=last, missing=missing)
        save()
    return all(record["done"] for record in tested)


def _step(
    cli: AirflowCli, record: Record, run_id: str, save: Callable[[], object], *, last: bool, missing: set[str]
) -> None:
    dag = record["dag"]
    date = record["date"]
    if last and not record["started"]:
        if date is not None:
            _pause(cli, dag)
        record["refused"] = record["refused"] or "The time was over before it could be started."
        record["done"] = True
        return
    if date is None:
        if dag in missing:
            record["refused"], record["done"] = "The target has not parsed it; Missing DAGs says why.", True
            return
        record["before"], record["usual"] = _before(cli, dag)
        # Saved before the run is triggered, so that a second try finds the first one's run.
        date = record["date"] = datetime.now(UTC).isoformat(timespec="seconds")
        save()
    if not record["started"]:
        _start(cli, record, date, run_id)
    else:
        record["ran"] = _ran(cli, date, dag, run_id)
    if record["ran"] is not None or record["tries"] >= _TRIES or last:
        _pause(cli, dag)
        record["done"] = True


def _start(cli: AirflowCli, record: Record, date: str, run_id: str) -> None:
    """Makes sure that there is a run of the DAG in the target."""
    cli.unpause(record["dag"])
    try:
        cli.trigger(record["dag"], run_id, date, {}, dated=True)
    except DagRunRefused as error:
        record["tries"] += 1
        record["refused"] = str(error)
    else:
        record["started"], record["refused"] = True, None


def _pause(cli: AirflowCli, dag: str) -> None:
    answer = cli.set_paused([dag], paused=True)
    if not answer.succeeded:
        # Its environment is deleted soon.
        logger.warning("not paused again", extra={"dag": dag, "said": answer.last_words()})


def _before(cli: AirflowCli, dag: str) -> tuple[Run | None, float | None]:
    """The source's last run, and the usual seconds of those that succeeded."""
    recent = (datetime.now(UTC) - timedelta(days=_RECENT_DAYS)).isoformat(timespec="seconds")
    try:
        ended = _ended(cli.runs(dag, since=recent)) or _ended(cli.runs(dag))
    except CommandFailed:
        # A DAG that the target's scheduler does not know yet has no history that could be asked for.
        return None, None
    if not ended:
        return None, None
    last = ended[0]
    seconds = [_seconds(run) for run in ended if run["state"] == "success"][:_RUNS]
    run = Run(state=last["state"], seconds=_seconds(last), tasks=_tasks(cli.tasks(dag, last["run_id"])))
    return run, statistics.median(seconds) if seconds else None


def _ended(runs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Runs that have ended, the last one first."""
    ended = [run for run in runs if run["state"] in _ENDED and run.get("start_date") and run.get("end_date")]
    return sorted(ended, key=lambda run: datetime.fromisoformat(run["end_date"]), reverse=True)


def _ran(cli: AirflowCli, date: str, dag: str, run_id: str) -> Run | None:
    """The run in the target if it has ended."""
    for run in _ended(cli.runs(dag, since=date, until=date)):
        if run["run_id"] == run_id:
            return Run(state=run["state"], seconds=_seconds(run), tasks=_tasks(cli.tasks(dag, run_id)))
    return None


def _seconds(row: Mapping[str, Any]) -> float:
    return max(seconds_between(row["start_date"], row["end_date"]), 0.0)


def _tasks(rows: Iterable[Mapping[str, Any]]) -> list[Task]:
    by_task: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_task.setdefault(str(row["task_id"]), []).append(row)
    found = []
    for task, instances in by_task.items():
        states = {str(row.get("state") or "none") for row in instances}
        starts = [row["start_date"] for row in instances if row.get("start_date") and row.get("end_date")]
        ends = [row["end_date"] for row in instances if row.get("start_date") and row.get("end_date")]
        # Mapped instances run side by side.
        span = seconds_between(min(starts, key=_time), max(ends, key=_time)) if starts else None
        state = next((worst for worst in ("failed", "upstream_failed") if worst in states), "")
        found.append(Task(task=task, state=state or ", ".join(sorted(states)), seconds=span))
    return sorted(found, key=lambda task: task["task"])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


# The result.


def check(tested: Iterable[Record], minutes: int) -> Check:
    """The check of a test that is over."""
    judged = [_judge(record, minutes) for record in tested]
    results = [result for result, _ in judged]
    well = results.count("pass")
    worst: Result = "fail" if "fail" in results else "warn" if "warn" in results else "pass"
    # What failed stands first, because a page shows no more than it has room for.
    order = {"fail": 0, "warn": 1, "pass": 2}
    return Check(
        name=NAME,
        result=worst,
        message=f"{well} of {wording.counted(len(judged), 'DAG')} ran in the target as in the source.",
        remedy=None if worst == "pass" else "Look at the task logs in the target's log group, and fix these DAGs.",
        findings=[finding for _, finding in sorted(judged, key=lambda item: order[item[0]])],
    )


def _judge(record: Record, minutes: int) -> tuple[Result, Finding]:
    ran, before = record["ran"], record["before"]
    beside = _beside(before)
    if ran is None:
        if record["refused"] is not None:
            return "fail", Finding(dag=record["dag"], message=f"It could not be run. {record['refused']}")
        message = f"It had not ended after {wording.counted(minutes, 'minute')}; {beside}."
        remedy = "Give it longer with options.smokeTestMinutes, or look at what it waits for."
        return "warn", Finding(dag=record["dag"], message=message, remedy=remedy)
    message = f"{ran['state']} in {wording.duration(ran['seconds'])}; {beside}."
    finding = Finding(dag=record["dag"], message=message, detail=_by_task(ran, before))
    if ran["state"] != "success":
        excused = before is not None and before["state"] != "success"
        return ("warn" if excused else "fail"), finding
    usual = record["usual"]
    if usual is not None and ran["seconds"] > max(SLOWER * usual, usual + SECONDS_LONGER):
        slow = f" That is more than {SLOWER:g} times its usual {wording.duration(usual)}."
        return "warn", Finding(**{**finding, "message": message + slow})
    return "pass", finding


def _beside(before: Run | None) -> str:
    if before is None:
        return "no run of the source to compare with"
    return f"the source's last run: {before['state']} in {wording.duration(before['seconds'])}"


def _by_task(ran: Run, before: Run | None) -> str:
    """A line for each task of either run: state and duration in the target, and those in the source."""
    here, there = ({task["task"]: task for task in run["tasks"]} if run else {} for run in (ran, before))
    return "\n".join(
        f"{task}: {_shown(here.get(task))}; source: {_shown(there.get(task))}" for task in sorted({*here, *there})
    )


def _shown(task: Task | None) -> str:
    if task is None:
        return "not there"
    return task["state"] if task["seconds"] is None else f"{task['state']} in {wording.duration(task['seconds'])}"
