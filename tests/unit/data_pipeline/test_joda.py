"""Joda-Time's patterns, as constants and as Jinja."""

from __future__ import annotations

from datetime import UTC, datetime

import jinja2
import pytest

from data_pipeline.expressions import joda

TIME = datetime(2024, 12, 30, 0, 5, 7, 89000, tzinfo=UTC)

#: Patterns with what Joda-Time 2 makes of the time above, a Monday in the first week of 2025.
PATTERNS = [
    ("YYYY-MM-dd", "2024-12-30"),
    # The year of the era is the year: not the week's year, which Java's SimpleDateFormat means by YYYY.
    ("YYYY yyyy xxxx", "2024 2024 2025"),
    ("YY yy xx", "24 24 25"),
    ("yyyyyy", "002024"),
    ("ww w e", "01 1 1"),
    ("G C", "AD 20"),
    ("M MM MMM MMMM", "12 12 Dec December"),
    ("d dd ddd", "30 30 030"),
    ("D DDD", "365 365"),
    ("E EEE EEEE", "Mon Mon Monday"),
    ("H HH k kk", "0 00 24 24"),
    ("h hh K KK a", "12 12 0 00 AM"),
    ("m mm s ss", "5 05 7 07"),
    ("S SS SSS SSSSSS SSSSSSSS", "0 08 089 089000 08900000"),
    ("z zzz zzzz", "UTC UTC Coordinated Universal Time"),
    ("Z ZZ ZZZ", "+0000 +00:00 UTC"),
    ("yyyy-MM-dd'T'HH:mm:ss", "2024-12-30T00:05:07"),
    ("h 'o''clock' ''", "12 o'clock '"),
    ("100% %d", "100% %30"),
    ("", ""),
]


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS)
def test_formats_a_constant(pattern: str, expected: str) -> None:
    assert joda.formatted(TIME, pattern) == expected


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS)
def test_the_jinja_says_the_same(pattern: str, expected: str) -> None:
    code = joda.jinja("t", pattern)
    assert str(jinja2.Environment(autoescape=True).compile_expression(code)(t=TIME)) == expected


@pytest.mark.parametrize(
    ("pattern", "message"), [("YYYY-Q", "the letter Q"), ("'open", "not closed"), ("tt", "the letter t")]
)
def test_refuses_what_joda_refuses(pattern: str, message: str) -> None:
    with pytest.raises(joda.NotAPattern, match=message):
        joda.formatted(TIME, pattern)
