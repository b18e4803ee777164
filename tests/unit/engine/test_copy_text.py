from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mwaa_migrator.postgres.copy_text import Row, RowLines, format_row, parse_row

#: Any text, and often the characters that mean something in COPY's text format.
TEXT = st.text() | st.text(alphabet=st.sampled_from("\\Nnbtrvf.01x\t\n\r\b\f\v é🎈"))
ROWS = st.lists(st.lists(TEXT | st.none(), min_size=1, max_size=4))


@given(st.lists(TEXT | st.none(), min_size=1))
@example(["\\N", None, "", "\\", "\\.", "\\\\N"])
def test_a_row_comes_back_as_it_was(row: Row) -> None:
    assert parse_row(format_row(row)) == row


@given(st.lists(TEXT | st.none(), min_size=1))
def test_a_row_is_one_line_and_no_end_of_data(row: Row) -> None:
    line = format_row(row)
    assert "\n" not in line
    assert "\r" not in line
    assert line != "\\."


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("", [""]),
        ("\\N", [None]),
        ("\\\\N", ["\\N"]),
        ("a\t\t\\N", ["a", "", None]),
        (r"\b\f\n\r\t\v\\", ["\b\f\n\r\t\v\\"]),
        (r"\\.", ["\\."]),
    ],
)
def test_the_format_is_postgresqls(line: str, row: Row) -> None:
    assert parse_row(line) == row
    assert format_row(row) == line


@given(ROWS, st.lists(st.integers(min_value=1, max_value=20), min_size=1))
def test_a_stream_may_break_anywhere(rows: list[Row], sizes: list[int]) -> None:
    """Within a character too."""
    stream = "".join(format_row(row) + "\n" for row in rows).encode()
    seen: list[Row] = []
    lines = RowLines(seen.append)
    position = number = 0
    while position < len(stream):
        size = sizes[number % len(sizes)]
        lines.write(stream[position : position + size])
        position, number = position + size, number + 1
    assert seen == rows
