"""A DAG whose tasks end in every way: success, failure, retries, skips, and what these do to those after."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.exceptions import AirflowException, AirflowSkipException
from support import SOON, dag, python, sensor, short_circuit


def succeed(**context):
    return "done"


def fail(**context):
    raise AirflowException("This task always fails:\n\t'quoted' \\N \\. \u00fc")


def fail_once(ti, **context):
    if ti.try_number == 1:
        raise AirflowException("This task fails once")


def skip(**context):
    raise AirflowSkipException


def go_on(**context):
    return False


def second_poke(dag_run, **context):
    """Each poke is a process of its own, so a file remembers the first."""
    poked = Path(os.environ["AIRFLOW_HOME"], f"poked-{dag_run.id}")
    if poked.exists():
        return True
    poked.touch()
    return False


with dag("outcomes") as outcomes:
    succeeds = python("succeeds", succeed)
    fails = python("fails", fail, retries=1)
    retried = python("retried", fail_once, retries=2)
    skips = python("skips", skip)
    stops = short_circuit("stops", go_on)
    reschedules = sensor("reschedules", second_poke, poke_interval=SOON)
    python("after_success", succeed).set_upstream(succeeds)
    python("after_failure", succeed).set_upstream(fails)
    python("after_skip", succeed).set_upstream(skips)
    python("after_stop", succeed).set_upstream(stops)
    python("when_all_done", succeed, trigger_rule="all_done").set_upstream([fails, skips, retried, reschedules])
    python("when_one_failed", succeed, trigger_rule="one_failed").set_upstream([fails, succeeds])
    python("when_none_failed", succeed, trigger_rule="none_failed").set_upstream([fails, skips])
