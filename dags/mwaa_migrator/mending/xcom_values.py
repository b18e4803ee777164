"""What becomes of one XCom's bytes, so that Airflow 3's migrations take them and keep their meaning."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from mwaa_migrator.airflow_schema.airflow_json import airflow_json, without_words
from mwaa_migrator.airflow_schema.migration_rules import NO_NUMBER
from mwaa_migrator.airflow_schema.pickles import CONSTRUCTORS, NotPlain, read_pickle
from mwaa_migrator.airflow_schema.plain_values import MOST_PARTS, plain_value

#: Larger pickles stay as they are: reading one takes twenty times as much memory, and more.
MOST_BYTES_OF_PICKLE = 4 * 1024 * 1024
#: jsonb has room for 268 MB.
_MOST_BYTES_OF_JSON = 200 * 1024 * 1024

#: Where Airflow's migration of 3.2 puts quotes around a word, or more often than that.
_TO_BE_QUOTED = re.compile(NO_NUMBER)

#: What a line says of the XComs that it names, after their names. One without a text is not named.
SAME = ""
NUMBERS_AS_TEXT = "their value has NaN or Infinity, which is text now"
NO_JSON = "their value was no JSON, and is a text now"
FROM_PICKLE = "their value was pickled, and is Airflow's JSON now"
_CLEARED = "their value was cleared, because it holds {}"
_PICKLED = "their value stays pickled, in a table that Airflow 3 does not read (_xcom_archive), because it holds {}"


class Mended(NamedTuple):
    """``data`` is the XCom's value now, NULL if None; ``reason`` is one of the texts above, filled in."""

    data: bytes | None
    reason: str


def mend_json(data: bytes, problem: str | None) -> Mended:
    """For a value that is no pickle. ``problem`` is why PostgreSQL makes no jsonb of it, None if it does."""
    if not data:
        return Mended(None, _CLEARED.format("nothing at all"))
    try:
        text = data.decode("utf-8")
        if problem is None and not _TO_BE_QUOTED.search(text):
            return Mended(data, SAME)
        value, reason = _read(text)
        plain = plain_value(value, MOST_PARTS + len(data))
        text = without_words(json.dumps(plain.value))
    except UnicodeDecodeError:
        return Mended(None, _CLEARED.format("bytes that are no text"))
    except NotPlain as reason:
        return Mended(None, _CLEARED.format(reason))
    if len(text) > _MOST_BYTES_OF_JSON:
        return Mended(None, _CLEARED.format(problem or "too much for jsonb"))
    return Mended(text.encode("ascii"), NUMBERS_AS_TEXT if plain.is_changed else reason)


def _read(text: str) -> tuple[Any, str]:
    try:
        return json.loads(text), SAME
    except RecursionError:
        raise NotPlain("containers nested too deeply") from None
    except ValueError:
        return text, NO_JSON


def convert_pickle(data: bytes | None) -> Mended:
    """For a pickle, None for one of more than MOST_BYTES_OF_PICKLE; ``data`` is None if it stays as it is."""
    if data is None:
        return Mended(None, _PICKLED.format(f"more than {MOST_BYTES_OF_PICKLE >> 20} MB"))
    try:
        text = airflow_json(read_pickle(data, CONSTRUCTORS), MOST_PARTS + len(data))
    except NotPlain as reason:
        return Mended(None, _PICKLED.format(reason))
    return Mended(text.encode("ascii"), FROM_PICKLE)
