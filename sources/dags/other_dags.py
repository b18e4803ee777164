"""DAGs with branches, schedules, templates, and tasks that never end."""

from __future__ import annotations

import datetime
import time

from airflow.exceptions import AirflowException
from contents import TEXTS, UNFINISHED
from support import START, VERSION, BashOperator, Waits, branch, dag, python, sensor


def succeed(**context):
    return None


def go_left(**context):
    return "left"


def fail(**context):
    raise AirflowException("This task always fails")


def never(**context):
    return False


def hold(**context):
    time.sleep(24 * 3600)


with dag("branches") as branches:
    choice = branch("choice", go_left)
    left, right = python("left", succeed), python("right", succeed)
    choice >> [left, right]
    # The same rule, renamed in 2.2.
    rule = "none_failed_or_skipped" if VERSION < (2, 2) else "none_failed_min_one_success"
    python("joined", succeed, trigger_rule=rule).set_upstream([left, right])

with dag("daily", schedule="@daily", catchup=True, end_date=START + datetime.timedelta(days=2)) as daily:
    python("extract", succeed) >> python("load", succeed, priority_weight=7, queue="default")

with dag("templates") as templates:
    BashOperator(
        task_id="rendered",
        bash_command="echo {{ ds }} \"$TEXT\"\necho '{{ params.text }}'",
        env={key: value for key, value in TEXTS.items() if key in ("line_feed", "quotes", "beyond_ascii", "tab")},
        params={"text": TEXTS["end_of_copy"]},
    )

with dag("paused_since") as paused_since:
    python("ran_before", succeed)

with dag("never_run", is_paused_upon_creation=True, schedule="@daily") as never_run:
    python("never", succeed)

with dag(UNFINISHED) as unfinished:
    pool = {"pool": "one slot"}
    holds = python("holds_the_pool", hold, priority_weight=10, **pool)
    python("waits_for_the_pool", hold, **pool)
    python("waits_for_its_retry", fail, retries=1, retry_delay=datetime.timedelta(days=365))
    sensor("waits_for_its_next_poke", never, poke_interval=365 * 24 * 3600)
    python("waits_for_its_turn", succeed).set_upstream(holds)
    if VERSION >= (2, 2):
        Waits(task_id="waits_for_a_trigger", wait=datetime.timedelta(days=365), bash_command="true")

if VERSION >= (2, 2):
    with dag("deferred") as deferred:
        Waits(task_id="deferred_and_resumed", wait=datetime.timedelta(seconds=1), bash_command="echo resumed")
        Waits(task_id="deferred_and_failed", wait=datetime.timedelta(seconds=1), bash_command="exit 3", retries=1)

if VERSION >= (2, 7):
    with dag("setup_and_teardown") as setup_and_teardown:
        made = python("made", succeed).as_setup()
        used = python("used", fail)
        removed = python("removed", succeed).as_teardown(setups=made)
        made >> used >> removed
