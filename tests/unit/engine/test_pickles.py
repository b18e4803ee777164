"""Pickles that try to run code, to grow, or to be something else than they look like."""

from __future__ import annotations

import copyreg
import datetime
import pickle
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mwaa_migrator.airflow_schema.pickles import CONSTRUCTORS, NotPlain, read_pickle

UTC = datetime.UTC
NAIVE = datetime.datetime(2026, 1, 2)  # noqa: DTZ001 - as DAGs have them
WRITTEN = Path("/tmp/mwaa_migrator_a_pickle_was_here")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [
        {"a": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], "b": {"c": [True, None, -(10**20), 1.5]}},
        [b"", b"bytes \xff", "text \x80 \ud800", ""],
        {1, 2, "three"}, frozenset([(1, "two"), frozenset()]), set(),
        [datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), NAIVE, datetime.date(1, 1, 1)],
        [datetime.timedelta(-1, 2, 3), datetime.timezone(datetime.timedelta(hours=2), "name")],
        [Decimal("1.10"), Decimal("-Infinity"), Decimal("1E+999999")],
    ],
)  # fmt: skip
def test_plain_values_are_read_as_python_reads_them(value: Any, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    assert read_pickle(data, CONSTRUCTORS) == pickle.loads(data) == value


class Reduces:
    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


class Built:
    def __setstate__(self, state: Any) -> None:
        WRITTEN.write_text("built")

    def __getstate__(self) -> Any:
        return {"a": 1}


class Made:
    def __new__(cls, *arguments: Any) -> Made:
        WRITTEN.write_text("made")
        return super().__new__(cls)

    def __getnewargs__(self) -> Any:
        return (1,)


class OfPersistentId(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        return "somewhere" if value == "outside" else None


@pytest.fixture
def nothing_written() -> Iterator[None]:
    WRITTEN.unlink(missing_ok=True)
    yield
    assert not WRITTEN.exists()


@pytest.fixture
def extension() -> Iterator[None]:
    copyreg.add_extension(__name__, "Built", 240)
    yield
    copyreg.remove_extension(__name__, "Built", 240)


@pytest.mark.usefixtures("nothing_written", "extension")
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_code_is_run(protocol: int, tmp_path: Path) -> None:
    made = Made.__new__(Made)
    WRITTEN.unlink()
    persistent = tmp_path / "persistent"
    with persistent.open("wb") as file:
        OfPersistentId(file, protocol).dump(["outside"])
    attempts = [
        pickle.dumps({"a": Reduces(WRITTEN.write_text, ("reduced",))}, protocol),
        pickle.dumps(Reduces(eval, (f"open({str(WRITTEN)!r}, 'w')",)), protocol),
        pickle.dumps(Reduces(getattr, (datetime.datetime, "now")), protocol),
        pickle.dumps([Built()], protocol),
        pickle.dumps(made, protocol),
        persistent.read_bytes(),
        pickle.dumps([print], protocol),
    ]
    for attempt in attempts:
        with pytest.raises(NotPlain):
            read_pickle(attempt, CONSTRUCTORS)


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x80\x02c__builtin__\neval\nX\x01\x00\x00\x00a\x85R.", r"an object \(__builtin__.eval\)"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.", r"an object \(os.system\)"),
        (b"\x80\x04\x8c\x08datetime\x8c\x0cdatetime.now\x93)R.", r"an object \(datetime.datetime.now\)"),
        (b"(S'ls'\nios\nsystem\n.", "an object"),
        (b"(cos\nsystem\nS'ls'\no.", r"an object \(os.system\)"),
        (b"\x80\x02\x82\xf0.", "an object"),
        (b"\x80\x02cdatetime\ndatetime\n)\x81.", "an object"),
        (b"\x80\x02cdatetime\ndatetime\n}b.", "an object"),
        (b"Poutside\n.", "a reference to something outside"),
        (b"\x80\x02N outside.", "no pickle"),
        (b"\x80\x05\x97.", "a reference to something outside"),
        # Constructors with arguments that Python does not write.
        (b"\x80\x02cdatetime\ndatetime\nK\x01K\x01K\x01\x87R.", "no pickle"),
        (b"\x80\x02cdecimal\nDecimal\nG\x7f\xf0\x00\x00\x00\x00\x00\x00\x85R.", "no pickle"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.", "no pickle"),
        (b"\x80\x02cbuiltins\nbytes\nJ\x00\x00\x00\x40\x85R.", "no pickle"),
        # A call of what is no name, of a name without arguments, and what is not for this container.
        (b"\x80\x02]}\x85R.", "no pickle"),
        (b"\x80\x02]NNs.", "no pickle"),
        (b"\x80\x02}Na.", "no pickle"),
        (b"\x80\x02(.", "no pickle"),
        (b"\x80\x02h\x05.", "no pickle"),
    ],
)
def test_operations_that_no_plain_value_needs(data: bytes, reason: str) -> None:
    with pytest.raises(NotPlain, match=reason):
        read_pickle(data, CONSTRUCTORS)


def test_large_values_that_would_be_hashed_again_and_again() -> None:
    """Python hashes a tuple's members each time: one of 2 to the power of 40 members would take days."""
    shared: Any = (1, 2)
    for _ in range(40):
        shared = (shared, shared)
    begun = time.process_time()
    for operations in (b"\x8f(%s\x90.", b"(%s\x91.", b"}%sNs."):
        data = pickle.dumps(shared, 4)
        with pytest.raises(NotPlain, match=r"a set of large values|a key of type tuple"):
            # Without its first two bytes and its end, it stands within another pickle.
            read_pickle(b"\x80\x04" + operations.replace(b"%s", data[2:-1]), CONSTRUCTORS)
    assert time.process_time() - begun < 1
