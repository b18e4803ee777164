"""A DAG whose XComs hold every value in `contents`."""

from __future__ import annotations

from contents import PICKLED_XCOMS, TEXTS, XCOMS
from support import VERSION, dag, python


def push(ti, **context):
    for key, value in XCOMS.items():
        ti.xcom_push(key=key, value=value)
    if VERSION < (2, 0):
        for key, value in PICKLED_XCOMS.items():
            ti.xcom_push(key=key, value=value)
    return dict(TEXTS)


def pull(ti, **context):
    wrong = [key for key, value in XCOMS.items() if ti.xcom_pull(task_ids="push", key=key) != value]
    if wrong:
        raise ValueError(f"XComs changed on their way: {wrong}")


with dag("values", tags=["history", "Ünïcödé 'tag'"]) as values:
    python("push", push) >> python("pull", pull)
