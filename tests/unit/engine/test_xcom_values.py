"""What becomes of an XCom: its value in Airflow's JSON, or why it has none."""

from __future__ import annotations

import datetime
import json
import pickle
import re
import time
from decimal import Decimal
from typing import Any

import pytest
from mwaa_migrator.airflow_schema.migration_rules import NO_NUMBER
from mwaa_migrator.mending import xcom_values
from mwaa_migrator.mending.xcom_values import NO_JSON, NUMBERS_AS_TEXT, SAME, convert_pickle, mend_json


@pytest.mark.parametrize(
    ("data", "value", "reason"),
    [
        (b'{"a": NaN, "b": [-Infinity, 1]}', {"a": "NaN", "b": ["-Infinity", 1]}, NUMBERS_AS_TEXT),
        (b'{"a": 1e200000}', {"a": "Infinity"}, NUMBERS_AS_TEXT),
        (b'"see [NaN, x]"', "see [NaN, x]", SAME),
        (rb'"{\"a\": NaN}"', '{"a": NaN}', SAME),
        (rb'"a \\[NaN] and \n-Infinity"', "a \\[NaN] and \n-Infinity", SAME),
        (b"s3://bucket/key", "s3://bucket/key", NO_JSON),
        (b'{"a": [1, 2}', '{"a": [1, 2}', NO_JSON),
        (b"9" * 5000, "9" * 5000, NO_JSON),
    ],
    ids=range(8),
)
def test_json_keeps_its_meaning(data: bytes, value: Any, reason: str) -> None:
    mended = mend_json(data, "no jsonb")
    assert mended.data is not None
    assert (json.loads(mended.data), mended.reason) == (value, reason)
    # Airflow's migration finds nothing in it to put quotes around.
    assert not re.search(NO_NUMBER, mended.data.decode("ascii"))


def test_json_that_the_migration_takes_stays() -> None:
    for data in (b'{"a": "NaN"}', b'"NaN and Infinity"', b'"banNaNa"'):
        assert mend_json(data, None) == (data, SAME)
    assert mend_json(b'"[NaN]"', None) == (b'"[\\u004eaN]"', SAME)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "nothing at all"),
        (rb'{"a": "\u0000"}', "a NUL character"),
        (b"a\0b", "a NUL character"),
        (rb'["\ud800"]', "half a character"),
        (b'"\xff"', "bytes that are no text"),
        (b"[" * 20000 + b"]" * 20000, "containers nested too deeply"),
        (b"[" * 200 + b"NaN" + b"]" * 200, "containers nested more than 100 deep"),
    ],
    ids=range(7),
)
def test_json_that_has_none_is_cleared(data: bytes, reason: str) -> None:
    assert mend_json(data, "no jsonb") == (None, f"their value was cleared, because it holds {reason}")


def test_json_larger_than_jsonb_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xcom_values, "_MOST_BYTES_OF_JSON", 10)
    assert mend_json(b'"a text that is long"', "too large")[1].endswith("because it holds too large")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ({"a": [1, True, "ä"], "b": {}, "c": []}, r'{"a": [1, true, "\u00e4"], "b": {}, "c": []}'),
        ("[NaN]", r'"[\u004eaN]"'),
        (1e23, "100000000000000000000000.0"),
        (1e-7, "0.0000001"),
        ((1,), '{"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1]}'),
        ({3, 1, 2}, '{"__classname__": "builtins.set", "__version__": 1, "__data__": [1, 2, 3]}'),
        (Decimal("1.10"), '{"__classname__": "decimal.Decimal", "__version__": 1, "__data__": "1.10"}'),
    ],
)
def test_a_pickle_becomes_airflows_json(value: Any, text: str) -> None:
    assert convert_pickle(pickle.dumps(value)) == (text.encode(), xcom_values.FROM_PICKLE)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"bytes", "a value of type bytes"),
        ({1: "a"}, "a key of type int"),
        (float("nan"), "NaN or Infinity"),
        (Decimal("NaN"), "NaN or Infinity"),
        ("\0", "a NUL character"),
        ("\ud83c\udf88", "half a character"),
        ({"__classname__": "a"}, "the key __classname__, which is Airflow's own"),
        (datetime.datetime.max.replace(tzinfo=datetime.UTC), "a time that Airflow does not keep to the microsecond"),
        (datetime.timedelta.max, "a duration that Airflow does not keep to the microsecond"),
        (datetime.time(1), "an object (datetime.time)"),
        (complex(1, 2), "an object (builtins.complex)"),
        (json.JSONDecoder, "an object (json.decoder.JSONDecoder)"),
        (1 << 20000, "a number with too many digits"),
    ],
    ids=range(13),
)
def test_or_stays_archived(value: Any, reason: str) -> None:
    mended = convert_pickle(pickle.dumps(value, 4))
    assert mended.data is None
    assert mended.reason.endswith(f"because it holds {reason}")


def test_shared_references_do_not_grow() -> None:
    shared: Any = ["x" * 100]
    cycle: list[Any] = []
    cycle.append(cycle)
    for _ in range(60):
        shared = [shared, shared]
    begun = time.process_time()
    assert convert_pickle(pickle.dumps(shared)).reason.endswith("would grow without limit")
    assert convert_pickle(pickle.dumps(cycle)).reason.endswith("containers nested more than 100 deep")
    assert convert_pickle(pickle.dumps((shared,) * 9)).reason.endswith("would grow without limit")
    assert time.process_time() - begun < 2


def test_a_large_pickle_is_not_read() -> None:
    assert convert_pickle(None).reason.endswith("because it holds more than 4 MB")
