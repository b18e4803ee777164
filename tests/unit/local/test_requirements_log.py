"""What an environment reads of a requirements.txt."""

from __future__ import annotations

import pytest

from local.mwaa import requirements_log


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_tells_the_encoding(encoding: str) -> None:
    assert requirements_log.decoded("caf\xe9\r\n".encode(encoding)) == "caf\xe9\r\n"


def test_a_comment_tells_the_encoding_unless_a_mark_does() -> None:
    text = "# what we need\n# coding: iso-8859-15\n\u20ac\n"
    assert requirements_log.decoded(text.encode("iso-8859-15")) == text
    assert requirements_log.decoded(text.encode("utf-8-sig")) == text
    assert requirements_log.decoded(b"caf\xe9\n") == "caf\ufffd\n"
