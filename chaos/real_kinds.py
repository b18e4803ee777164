"""The faults that strike on real Airflow, each with its places, as faults.KINDS has them for light environments.

Without what hangs, which costs minutes there, and the upgrade to Airflow 3; with what only a scheduler can have.
"""

from __future__ import annotations

from chaos import faults

# More than there, because what is polled takes longer.
_PLACES = {faults.AWS_CALLS: 700, faults.INVOCATIONS: 44, faults.COMMANDS: 48, faults.POLLS: 8}
REAL_KINDS: dict[str, int] = {
    **{
        kind: places
        for kind, places in faults.with_places(faults.KINDS, _PLACES).items()
        if "hangs" not in kind and kind not in faults.OF_UPDATES
    },
    # The places are the tasks of ours in the scheduler's environment.
    "scheduler killed during the export": 3,
    "scheduler killed during the import": 2,
}
