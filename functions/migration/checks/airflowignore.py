"""Which files of a DAG folder Airflow does not parse, because a `.airflowignore` names them.

Its lines are regular expressions up to Airflow 2.x and globs like those of `.gitignore` from 3.0 on, unless
`core.dag_ignore_file_syntax` says otherwise: the same line can mean something else after a migration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

NAME = ".airflowignore"


def finder(names: Collection[str], read: Callable[[str], str], *, glob: bool) -> Callable[[str], str | None]:
    """A function that returns, for a file's path, which line of which `.airflowignore` ignores it, or None.

    Args:
        names: the paths of all files below the DAG folder.
        read: returns the text of one; each is read at most once, and only for a file below its folder.
        glob: which of the two kinds the lines are.
    """
    texts: dict[str, list[str]] = {}

    def ignored_by(file: str) -> str | None:
        parts = file.split("/")
        for depth in range(len(parts)):
            above = "".join(f"{part}/" for part in parts[:depth])
            name = f"{above}{NAME}"
            if name in names:
                if name not in texts:
                    texts[name] = _lines(read(name), glob=glob)
                line = _last_match(texts[name], "/".join(parts[depth:]), glob=glob)
                if line is not None:
                    return f"The line {line!r} of {name}"
        return None

    return ignored_by


def _lines(text: str, *, glob: bool) -> list[str]:
    comment = r"^#.*" if glob else r"\s*#.*"
    lines = (re.sub(comment, "", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def _last_match(lines: list[str], path: str, *, glob: bool) -> str | None:
    """The line that decides; what a glob with an exclamation mark takes back is not ignored."""
    found = None
    for line in lines:
        if glob and line.startswith("!"):
            found = None if _matches_glob(line[1:], path) else found
        elif _matches_glob(line, path) if glob else _matches_expression(line, path):
            found = line
    return found


def _matches_expression(line: str, path: str) -> bool:
    try:
        return re.search(line, path) is not None
    except re.error:
        # Airflow skips a line that is not a regular expression.
        return False


def _matches_glob(line: str, path: str) -> bool:
    """As git does it: a pattern with a slash inside is anchored, one without matches at any depth, `/` ends folders."""
    folders_only = line.endswith("/")
    pattern = line.rstrip("/")
    anchored = "/" in pattern
    text = "".join(_token(token) for token in re.findall(r"\*\*/|/\*\*|\*\*|\*|\?|\[[^\]]*\]|.", pattern.lstrip("/")))
    before = "" if anchored else "(?:.*/)?"
    after = "/.*" if folders_only else "(?:/.*)?"
    try:
        return re.fullmatch(f"{before}{text}{after}", path) is not None
    except re.error:
        return False


def _token(token: str) -> str:
    kinds = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if token in kinds:
        return kinds[token]
    if token.startswith("[") and len(token) > 1:
        return token.replace("[!", "[^", 1)
    return re.escape(token)
