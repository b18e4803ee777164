"""Pickles that nobody trusts: what is plain in them, and nothing else."""

from __future__ import annotations

import datetime
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
from mwaa_migrator.airflow_schema.pickles import NotPlain
from mwaa_migrator.airflow_schema.plain_values import unpickle


class Writes:
    """Its pickle writes a file where it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "written")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [{}, {"a": [1, 2.5, None, True, {"b": "text"}]}, "text", None, 10**30, {"ä": "世界 🎈", "tab\t": "\x01"}],
)
def test_what_json_has_stays(value: Any, protocol: int) -> None:
    assert unpickle(pickle.dumps(value, protocol)) == (value, False)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, (2,)), [1, [2]]),
        ({1: "a", None: "b", False: "c"}, {"1": "a", "null": "b", "false": "c"}),
        ([float("nan"), float("inf"), -float("inf")], ["NaN", "Infinity", "-Infinity"]),
    ],
)
def test_what_it_has_no_word_for_is_changed(value: Any, plain: Any) -> None:
    assert unpickle(pickle.dumps(value)) == (plain, True)


def test_two_halves_of_a_character_are_one() -> None:
    assert unpickle(pickle.dumps("\ud83c\udf88"))[0] == "🎈"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (datetime.date(2026, 1, 1), "an object (datetime.date)"),
        ({"a": b"bytes"}, "a value of type bytes"),
        ({"a": {1, 2}}, "a value of type set"),
        ({(1, 2): "a"}, "a key of type tuple"),
        ("a\0b", "a NUL character"),
        (["\ud800"], "half a character"),
        pytest.param(1 << 20000, "a number with too many digits", id="digits"),
    ],
)
def test_anything_else_is_named(value: Any, reason: str) -> None:
    with pytest.raises(NotPlain) as raised:
        unpickle(pickle.dumps(value, 4))
    assert str(raised.value) == reason


def test_nothing_is_called(tmp_path: Path) -> None:
    written = tmp_path / "written"
    harmful = pickle.dumps({"a": Writes(written)})
    with pytest.raises(NotPlain, match="an object"):
        unpickle(harmful)
    assert not written.exists()
    pickle.loads(harmful)
    assert written.read_text() == "written"


def test_a_cycle_and_what_is_deep() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(NotPlain, match="containers nested more than 100 deep"):
        unpickle(pickle.dumps(cycle))


def test_shared_values_do_not_grow() -> None:
    shared: list[Any] = ["x" * 100]
    for _ in range(60):
        shared = [shared, shared]
    data = pickle.dumps(shared)
    assert len(data) < 1000
    with pytest.raises(NotPlain, match="grow without limit"):
        unpickle(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no pickle",
        pickle.dumps([1, 2, 3])[:-2],
        # A memo of 16 GB.
        b"\x80\x02Nr" + struct.pack("<I", 2**31 - 1) + b".",
        # A text that claims to be longer than everything.
        b"\x80\x04X" + struct.pack("<I", 2**32 - 1) + b"a.",
        b"\x80\x02N}b.",
        b"\x80\x02NN\x81.",
    ],
)
def test_what_is_no_pickle(data: bytes) -> None:
    with pytest.raises(NotPlain):
        unpickle(data)
