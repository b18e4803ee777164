"""One migration between real Airflows, whose schedulers are killed. `make chaos REAL=1` runs more, with more faults."""

from __future__ import annotations

import pytest

from tests.chaos.faults import Fault
from tests.chaos.real_world import RealWorld
from tests.chaos.run import migrate
from tests.chaos.world import world


@pytest.mark.timeout(900)
def test_a_migration_outlasts_its_schedulers() -> None:
    planned = [Fault(f"scheduler killed during the {where}", 0, 1, 0.5) for where in ("export", "import")]
    with world(RealWorld) as here:
        outcome = migrate(here, "killed", planned)
    assert outcome.broken == []
    assert (outcome.status, outcome.struck) == ("SUCCEEDED", [fault.kind for fault in planned])
