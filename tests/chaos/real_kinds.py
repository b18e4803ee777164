"""The faults that strike on real Airflow, each with its places, as faults.KINDS has them for light environments.

Without what hangs, which costs minutes there, and the upgrade to Airflow 3; with what only a scheduler can have.
"""

from __future__ import annotations

# More than there, because what is polled takes longer.
AWS_CALLS, INVOCATIONS, COMMANDS, TASKS, POLLS = 700, 44, 48, 5, 8
REAL_KINDS: dict[str, int] = {
    "AWS call throttled": AWS_CALLS,
    "AWS call answered 500": AWS_CALLS,
    "AWS call answered 503": AWS_CALLS,
    "AWS connection closed without an answer": AWS_CALLS,
    "AWS call carried out, its answer lost": AWS_CALLS,
    "function killed before a call": AWS_CALLS,
    "function killed after a call": AWS_CALLS,
    "function run twice for one event": INVOCATIONS,
    "function timed out after its work": INVOCATIONS,
    "execution aborted, started again": INVOCATIONS,
    "execution aborted, redriven": INVOCATIONS,
    "CLI answers 403": COMMANDS,
    "CLI answers 502": COMMANDS,
    "CLI answers truncated base64": COMMANDS,
    "CLI runs the command, answers 502": COMMANDS,
    "CLI token expired in flight": COMMANDS,
    "task killed": TASKS,
    "connection lost in COPY": 1,
    "connection lost in the merge": 1,
    "target CREATE_FAILED": 3,
    "target UNAVAILABLE": POLLS,
    "target in MAINTENANCE for some polls": POLLS,
    # The places are the tasks of ours in the scheduler's environment.
    "scheduler killed during the export": 3,
    "scheduler killed during the import": 2,
}
