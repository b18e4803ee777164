"""The faults that strike on real Airflow, each with its places; faults.KINDS has those without a scheduler.

Calls that hang, which cost minutes here, and the upgrade to Airflow 3 are left out; what can happen to a scheduler only
is added.
"""

from __future__ import annotations

from chaos import faults

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
}
