"""One migration between real Airflows that is rolled back, so that their world is tried by each run of the tests."""

from __future__ import annotations

import pytest

from chaos.faults import Fault
from chaos.real_world import RealWorld
from chaos.run import migrate
from chaos.world import world


@pytest.mark.timeout(1500)
def test_a_real_source_is_as_it_was_after_a_roll_back() -> None:
    # The probe has four tasks, base and refresh six each; quiesce pauses the DAGs, and the drain that follows it is
    # killed, as are its three retries.
    killed = Fault("task killed", place=18, times=4, delay=0.0)
    with world(RealWorld) as here:
        outcome = migrate(here, "killed", [killed])
    assert outcome.broken == []
    assert (outcome.status, outcome.error, killed.struck) == ("FAILED", "DagRunFailed", 4)
