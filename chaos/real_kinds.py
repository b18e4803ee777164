"""The faults that strike on real Airflow, each with its places; faults.KINDS has those without a scheduler.

Calls that hang, which cost minutes here, and the upgrade to Airflow 3 are left out. What can
happen only to a scheduler, or to an import directly into Airflow 3, is added.
"""

from __future__ import annotations

from chaos import faults
from chaos.import_steps import STEPS
from migration.airflow import path

# There are more places here, because there are more polls.
_PLACES = {faults.AWS_CALLS: 700, faults.INVOCATIONS: 44, faults.COMMANDS: 48, faults.POLLS: 8}
REAL_KINDS: dict[str, int] = {
    **{
        kind: places
        for kind, places in faults.with_places(faults.KINDS, _PLACES).items()
        if "hangs" not in kind and kind not in faults.OF_UPDATES
    },
    # The places are our tasks in the scheduler's environment.
    "scheduler killed during the export": 3,
    "scheduler killed during the import": 2,
    **dict.fromkeys(STEPS, 1),
}
#: One migration in so many goes directly to Airflow 3, and each whose import is to be killed at a step.
_DIRECT = 3


def way(seed: int) -> str | None:
    """The way of a seed's migration to Airflow 3, which is the direct one; None for one within 2.x."""
    kinds = [fault.kind for fault in faults.plan(seed, REAL_KINDS)]
    return path.DIRECT if seed % _DIRECT == 0 or not set(STEPS).isdisjoint(kinds) else None
