"""Names that somebody could have given to anything, of pieces of the languages that they pass through."""

from __future__ import annotations

from hypothesis import strategies as st

#: Of shells, of SQL and psycopg2, of COPY's text format, of JSON, Jinja, HTML, regular expressions, paths and options.
PIECES = (
    "'", '"', "`", ";", " ", "\n", "\t", "\r", "\\", "\\N", "\\.", "|", "&", ">", "#", "*", "?", "~", "!",
    "$(reboot)", "${HOME}", "`id`", "; reboot", "&& id",
    "'; drop table dag_run; --", "') or (1=1", "%s", "%(dag_id)s", "%", "$$", "E'\\''", "/*", "null",
    '{"a": 1}', "{}", "{{ 1 }}", "{% raw %}", "<script>alert(1)</script>", "&amp;",
    "(a+)+", ".*", "^", "[", "../..", "/", ".", "-", "--help", "--yes", "a", "é", "世界", "🎈", "\u202e", "\x7f",
)  # fmt: skip


def names(longest: int = 250) -> st.SearchStrategy[str]:
    """Not empty, of `longest` characters at most, and such as PostgreSQL can store: no NUL, no half characters."""
    text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
    mixed = st.lists(st.sampled_from(PIECES) | text, min_size=1, max_size=12).map("".join)
    return mixed.map(lambda name: name[:longest]).filter(bool)
