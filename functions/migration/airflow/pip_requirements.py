"""A `requirements.txt` as Amazon MWAA and pip read it: its text, and its lines.

The rules are those of pip's reference, "Requirements File Format", and of the images' code
(aws/amazon-mwaa-docker-images, mwaa/utils/encoding.py and user_requirements.py). pip-requirements-parser would not do:
it cannot give a file back with all other lines as they were.
"""

from __future__ import annotations

import codecs
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(r"#.*coding[:=]\s*([-\w.]+)")
_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?P<rest>.*)", re.DOTALL)
_PIN = re.compile(r"\s*===?\s*(?P<version>[^\s;#,*]+)\s*(?P<marker>;.*)?")
# Amazon MWAA's own test of whether a file names constraints. A comment counts; `-cURL` and `--constraint=URL` do not.
_NAMES_CONSTRAINTS = re.compile(r"-c |--constraint ")


class Line(NamedTuple):
    """A line after its continuations were joined and its comment was cut off.

    It takes the lines `first` up to `end` (counted from 0, `end` excluded) of the text.
    """

    first: int
    end: int
    text: str

    def values(self, *options: str) -> list[str]:
        """What the line gives to an option, by any of its names (`-c`, `--constraint`); "" for one without a value."""
        # Everything before the first dash is a requirement; only a line without one can have these options.
        if not self.text.startswith("-"):
            return []
        try:
            words = shlex.split(self.text)
        except ValueError:
            # pip refuses it too.
            return []
        found: list[str] = []
        for position, word in enumerate(words):
            for option in options:
                if word == option:
                    found += words[position + 1 : position + 2] or [""]
                elif option.startswith("--"):
                    found += [word.removeprefix(f"{option}=")] if word.startswith(f"{option}=") else []
                elif word.startswith(option) and not word.startswith("--"):
                    found.append(word.removeprefix(option))
        return found


class Pin(NamedTuple):
    """A requirement that names exactly one version. `line` counts from 1; `marker` has no blanks."""

    line: int
    name: str
    version: str
    marker: str


def decoded(content: bytes) -> tuple[str, str]:
    """The text of a file, and the encoding that it was found to have.

    By its byte order mark, else by the comment in one of the first two lines, else UTF-8. What is none of these, and so
    could not be installed where it comes from, is read as latin-1.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.removeprefix(mark).decode(encoding, "replace"), encoding
    for encoding in (_declared_encoding(content.decode("latin-1")) or "utf-8", "utf-8"):
        try:
            return content.decode(encoding), encoding
        except (UnicodeDecodeError, LookupError):
            continue
    return content.decode("latin-1"), "latin-1"


def encoded(text: str) -> bytes:
    """A text in UTF-8, with a byte order mark where a comment in it says something else: the mark counts more."""
    other = _declared_encoding(text)
    mark = b"" if other is None or other.lower().replace("_", "-") in ("utf-8", "utf8") else codecs.BOM_UTF8
    return mark + text.encode()


def lines_of(text: str) -> Iterator[Line]:
    """The lines that mean something. A comment ends a line that would go on, as in pip."""
    joined: list[str] = []
    first = 0
    physical = text.splitlines()
    for number, line in enumerate(physical):
        if not joined:
            first = number
        comment = line.startswith("#") or (line[:1].isspace() and line.lstrip().startswith("#"))
        joined.append(f" {line}" if comment else line.strip("\\"))
        if line.endswith("\\") and not comment and number + 1 < len(physical):
            continue
        whole = _COMMENT.sub("", "".join(joined)).strip()
        joined = []
        if whole:
            yield Line(first, number + 1, whole)


def pins(text: str) -> Iterator[Pin]:
    """The pinned requirements; a version with a wildcard is no single version."""
    for line in lines_of(text):
        found = _REQUIREMENT.fullmatch(line.text)
        # Options of a requirement, as its hashes.
        pin = None if found is None else _PIN.fullmatch(re.sub(r"\s--?[a-z].*", "", found["rest"], flags=re.DOTALL))
        if found is not None and pin is not None:
            marker = re.sub(r"\s", "", pin["marker"] or "")
            yield Pin(line.first + 1, normalised(found["name"]), pin["version"], marker)


def missing(text: str, other: str) -> list[str]:
    """The requirements of a file whose packages another file does not name, each as it stands there."""
    named = _requirements(other)
    return [line for name, line in _requirements(text).items() if name not in named]


def _requirements(text: str) -> dict[str, str]:
    """The lines that name a package, by its name; options, paths and URLs are left out."""
    found = ((_REQUIREMENT.fullmatch(line.text), line.text) for line in lines_of(text) if "://" not in line.text)
    return {normalised(match["name"]): line for match, line in found if match is not None}


def normalised(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def has_variables(text: str) -> bool:
    """Whether pip puts environment variables into a line: `${UPPER_CASE}`."""
    return _VARIABLE.search(text) is not None


def is_offline(text: str) -> bool:
    """Whether pip gets packages from folders alone (`--no-index`): Amazon MWAA's way for networks without internet."""
    return any(line.text.startswith("-") and "--no-index" in line.text.split() for line in lines_of(text))


def mwaa_adds_constraints(text: str) -> bool:
    """Whether Amazon MWAA gives pip its own constraints for a file, because it sees none in it."""
    return not any(_NAMES_CONSTRAINTS.search(line) for line in text.splitlines())


def shown(place: str) -> str:
    """A path or URL without what may be a secret in it: credentials, and the query of a presigned URL."""
    without_query = re.sub(r"\?.*", "?...", place)
    return re.sub(r"(?<=://)[^/@]*@", "", without_query)


def _declared_encoding(text: str) -> str | None:
    for line in text.split("\n")[:2]:
        found = _DECLARED.match(line)
        if found is not None:
            return found[1]
    return None
