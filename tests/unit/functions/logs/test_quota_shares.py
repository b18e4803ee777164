"""How the workers share the quotas: by need, never more than all in sum, whoever ends when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migration.aws import clients
from migration.logs.pacing import Pacer
from migration.logs.quota_shares import Granted, Need, Shares, fair_shares

from .conftest import TurnedClock

WHOLE = {"GetLogEvents": 25.0, "PutLogEvents": 5000.0}
KEY = "migrations/m/1/logs/shares/source.json"
ALL = {operation: Need(calls, 1) for operation, calls in WHOLE.items()}
NOTHING = {operation: Need(0.0, 1) for operation in WHOLE}


@pytest.fixture
def turned() -> TurnedClock:
    return TurnedClock()


def worker(clock: TurnedClock, workers: int = 3) -> Shares:
    return Shares(clients.s3(), "exchange", KEY, WHOLE, workers, clock)


def ask(shares: Shares, needs: Mapping[str, Need] = ALL) -> Granted:
    granted = shares.renew(needs, lambda _: None)
    assert granted is not None
    return granted


def pages(shares: Shares, needs: Mapping[str, Need] = ALL) -> float:
    """GetLogEvents a second."""
    return ask(shares, needs).paces["GetLogEvents"]


def stored() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(clients.s3().get_object(Bucket="exchange", Key=KEY)["Body"].read())
    return content


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ([(25, 1)], [25]),
        ([(25, 1), (25, 1)], [12.5, 12.5]),
        # Who needs less gets what it needs; the others the rest.
        ([(5, 1), (25, 1), (25, 1)], [5, 10, 10]),
        # Alike for each stream.
        ([(25, 4), (25, 1)], [20, 5]),
        ([(25, 4), (2, 1)], [23, 2]),
        # What nobody needs is for who will need it next.
        ([(5, 1), (0, 1)], [15, 10]),
        ([(0, 1), (0, 1)], [12.5, 12.5]),
    ],
)
def test_what_is_fair(needs: list[tuple[float, int]], expected: list[float]) -> None:
    found = fair_shares({str(number): Need(*need) for number, need in enumerate(needs)}, 25)
    assert [found[str(number)] for number in range(len(needs))] == pytest.approx(expected)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 9)), min_size=1, max_size=9), st.floats(1, 100))
def test_fair_shares_are_the_whole(needs: list[tuple[float, int]], whole: float) -> None:
    found = fair_shares({str(number): Need(*need) for number, need in enumerate(needs)}, whole)
    assert sum(found.values()) == pytest.approx(whole)
    assert all(share >= -1e-9 for share in found.values())


def test_those_who_begin_together_share_equally(turned: TurnedClock) -> None:
    assert [pages(worker(turned)) for _ in range(3)] == [pytest.approx(25 / 3, abs=0.01)] * 3


def test_who_needs_nothing_leaves_it_to_the_others(turned: TurnedClock) -> None:
    one, other = worker(turned), worker(turned)
    pages(one)
    pages(other)
    # Two of three workers are there; each takes its half.
    assert (pages(one), pages(other)) == (12.5, 12.5)
    assert (pages(one, NOTHING), pages(other)) == (0, 25)
    # It needs something again: the other gives it back first.
    assert [pages(one), pages(other), pages(one)] == [0, 12.5, 12.5]


def test_who_waits_for_others_asks_again_soon(turned: TurnedClock) -> None:
    one, other = worker(turned, 1), worker(turned, 1)
    ask(one)
    assert ask(one).again == 1.0
    assert ask(other).paces["GetLogEvents"] == 0
    assert ask(other).again < 0.5
    assert pages(one) == 12.5
    assert ask(other).again == 1.0


def test_who_leaves_gives_everything_back(turned: TurnedClock) -> None:
    one, other = worker(turned), worker(turned)
    pages(one)
    pages(other)
    one.leave()
    assert pages(other) == 25
    one.leave()
    assert len(stored()) == 1


def test_an_entry_that_is_not_renewed_expires_after_its_owner_has_stopped(turned: TurnedClock) -> None:
    dead, other = worker(turned, 1), worker(turned, 1)
    held = ask(dead).seconds
    turned.sleep(held)
    assert pages(other) == 0
    turned.sleep(2.1)
    assert pages(other) == 25


def test_a_pace_is_lowered_before_the_others_can_see_it(turned: TurnedClock) -> None:
    one, other = worker(turned, 1), worker(turned, 1)
    ask(one)
    ask(other)
    seen = []

    def lower(paces: Mapping[str, float]) -> None:
        seen.append((paces["GetLogEvents"], sorted(entry["grants"]["GetLogEvents"] for entry in stored().values())))

    one.renew(ALL, lower)
    assert seen == [(12.5, [0, 25])]


def test_two_who_write_at_the_same_time(turned: TurnedClock) -> None:
    """The second finds that it was overtaken, and takes what the first has left."""
    one, other = worker(turned, 1), worker(turned, 1)
    overtaken: list[float] = []

    def lower(_: Mapping[str, float]) -> None:
        if not overtaken:
            overtaken.append(pages(other))

    granted = one.renew(ALL, lower)
    assert overtaken == [25]
    assert granted is not None
    assert granted.paces["GetLogEvents"] == 0
    assert turned.slept


def test_overtaken_all_the_time(turned: TurnedClock) -> None:
    one, other = worker(turned, 1), worker(turned, 1)
    ask(one)

    def lower(_: Mapping[str, float]) -> None:
        other.leave()
        ask(other)

    assert one.renew(ALL, lower) is None


# Each is some thirty calls of moto's S3, which may take a while.
@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.floats(0, 25), st.integers(1, 9), st.booleans(), st.floats(0, 4)), max_size=30
    )
)
def test_never_more_than_the_whole_is_granted(steps: list[tuple[int, float, int, bool, float]]) -> None:
    """Whoever asks for what, ends or is killed at any time."""
    clients.s3().delete_object(Bucket="exchange", Key=KEY)
    clock = TurnedClock()
    workers = {number: worker(clock, 4) for number in range(4)}
    # What each goes by, and until when.
    held: dict[Shares, tuple[float, float]] = {}
    for number, calls, streams, ends, seconds in steps:
        one = workers[number]
        if ends:
            if seconds < 2:
                held.pop(one, None)
                one.leave()
            workers[number] = worker(clock, 4)
        else:
            granted = ask(one, {**ALL, "GetLogEvents": Need(calls, streams)})
            held[one] = (granted.paces["GetLogEvents"], clock.now() + granted.seconds)
        clock.sleep(seconds)
        assert sum(calls for calls, until in held.values() if until >= clock.now()) <= 25


def paced(clock: TurnedClock, workers: int = 2) -> Pacer:
    return Pacer(WHOLE, clock.monotonic, clock.sleep, worker(clock, workers))


def seconds_of(pacer: Pacer, clock: TurnedClock, calls: int) -> float:
    begun = clock.monotonic()
    for _ in range(calls):
        pacer.wait("GetLogEvents")
    return clock.monotonic() - begun


def test_a_worker_by_itself_gets_all_of_it(turned: TurnedClock) -> None:
    pacer = paced(turned)
    # At first its part of two.
    assert 7.5 <= seconds_of(pacer, turned, 200) <= 9


def test_a_worker_gets_what_another_does_not_use(turned: TurnedClock) -> None:
    one, other = paced(turned), paced(turned)
    for _ in range(100):
        one.wait("PutLogEvents")
        seconds_of(other, turned, 5)
    assert seconds_of(other, turned, 100) <= 4.6
    one.wait("PutLogEvents")
    assert seconds_of(other, turned, 100) <= 4.6


def test_a_worker_tells_what_it_needs(turned: TurnedClock) -> None:
    pacer = paced(turned, 1)

    def told() -> list[float]:
        (entry,) = stored().values()
        found: list[float] = entry["needs"]["GetLogEvents"]
        return found

    pacer.expect("GetLogEvents", 4)
    pacer.wait("GetLogEvents")
    # Before anything is known, and while it uses up what it gets: all of it.
    assert told() == [25, 4]
    pacer.expect("GetLogEvents", -3)
    seconds_of(pacer, turned, 200)
    assert told() == [25, 1]
    for _ in range(20):
        turned.sleep(0.25)
        pacer.wait("GetLogEvents")
    assert told() == [pytest.approx(5, abs=0.5), 1]


def test_after_its_entry_has_expired_a_worker_asks_before_it_calls(turned: TurnedClock) -> None:
    pacer = paced(turned, 1)
    seconds_of(pacer, turned, 50)
    turned.sleep(60)
    other = worker(turned, 1)
    assert pages(other) == 25
    # One call, as anybody may make; the next when the other's entry has expired.
    assert seconds_of(pacer, turned, 1) < 0.1
    assert 8 < seconds_of(pacer, turned, 1) < 12
    assert seconds_of(pacer, turned, 25) <= 1.1


def test_who_has_left_takes_no_part(turned: TurnedClock) -> None:
    pacer = paced(turned)
    pacer.wait("GetLogEvents")
    pacer.leave()
    assert stored() == {}
