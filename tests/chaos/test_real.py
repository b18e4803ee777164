"""One migration with a fault between real Airflows, so that their world is tried by each run of the tests."""

from __future__ import annotations

import pytest

from tests.chaos import faults
from tests.chaos.real_kinds import REAL_KINDS
from tests.chaos.real_world import RealWorld
from tests.chaos.run import migrate
from tests.chaos.world import world

#: The CLI refuses for good when the source is quiesced, so that everything is rolled back.
SEED = 11


@pytest.mark.timeout(900)
def test_a_real_source_is_as_it_was() -> None:
    with world(RealWorld) as here:
        outcome = migrate(here, f"s{SEED}", faults.plan(SEED, REAL_KINDS))
    assert outcome.broken == []
    assert "CLI answers 403" in outcome.struck
    assert outcome.status == "FAILED"
