"""JSON as people publish it."""

from __future__ import annotations

import pytest

from data_pipeline import lenient_json


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ('\ufeff{"a": "b"}', {"a": "b"}),
        ('{"a": "two\nlines\tand a tab"}', {"a": "two\nlines\tand a tab"}),
        ('{"a": [1, 2, ], }', {"a": [1, 2]}),
        ('{"a": ",}", "b": "\\",]"}', {"a": ",}", "b": '",]'}),
        ('{“a”: “say "x"”}', {"a": 'say "x"'}),
        ('{"a": 1, "a": 2, "a": 3}', {"a": [1, 2, 3]}),
    ],
)
def test_reads(text: str, expected: object) -> None:
    assert lenient_json.loads(text) == expected


@pytest.mark.parametrize("text", ["", "{", '{"a" 1}', '{"a": "b}', "[1 2]"])
def test_refuses_what_is_no_json_even_so(text: str) -> None:
    with pytest.raises(ValueError, match="line 1 column"):
        lenient_json.loads(text)


def test_the_message_has_the_files_line() -> None:
    with pytest.raises(ValueError, match="line 3"):
        lenient_json.loads('{"a": [1,],\n"b": "x",\n"c" }')
