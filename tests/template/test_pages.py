"""What the pages name is there: files, headings, modules and make's targets."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from tools.phases_picture import FILE, STRETCHES, drawn
from tools.state_machines import definition

ROOT = Path(__file__).parents[2]
_COMMAND = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md"]
_LISTED = subprocess.run(_COMMAND, cwd=ROOT, capture_output=True, text=True, check=True)
PAGES = [ROOT / name for name in _LISTED.stdout.splitlines() if (ROOT / name).is_file()]
FOLDERS = {file.name for file in ROOT.iterdir() if file.is_dir()} - {"build", ".venv", ".git"}

_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
_CODE = re.compile(r"`([^`\n]+)`")


def _names(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _links(page: Path) -> Iterator[str]:
    for found in _LINK.finditer(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        link = found[1] or found[2]
        if "://" not in link:
            yield link


@cache
def _headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    seen: dict[str, int] = {}
    anchors = set()
    for title in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)).lower().replace(" ", "-")
        again = seen.get(anchor, 0)
        seen[anchor] = again + 1
        anchors.add(f"{anchor}-{again}" if again else anchor)
    return anchors


@pytest.mark.parametrize("page", PAGES, ids=_names)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _links(page):
        path, _, anchor = unquote(link).partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), link
        assert not anchor or anchor in _headings(file), link


@pytest.mark.parametrize("page", PAGES, ids=_names)
def test_paths_exist(page: Path) -> None:
    for code in _CODE.findall(page.read_text(encoding="utf-8")):
        path = code.split("::")[0]
        if path.split("/")[0] in FOLDERS and re.fullmatch(r"[\w.*/-]+", path) and "/" in path:
            assert any(ROOT.glob(path.rstrip("/"))), code


@pytest.mark.parametrize("page", PAGES, ids=_names)
def test_modules_exist(page: Path) -> None:
    for module in re.findall(r"-m ((?:local|tools|tests|bench)[\w.]*)", page.read_text(encoding="utf-8")):
        path = ROOT.joinpath(*module.split("."))
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


@pytest.mark.parametrize("page", PAGES, ids=_names)
def test_make_has_the_targets(page: Path) -> None:
    named = set(re.findall(r"(?:^ {4}|`)make ([a-z0-9]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_each_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        found = {(page.parent / link.partition("#")[0]).resolve() for link in _links(page)}
        waiting += [file for file in found & set(PAGES) if file not in reached]
    templates = {page for page in PAGES if ".github" in page.parts}
    assert set(PAGES) - reached - templates == set()


def test_the_picture_of_the_phases_is_fresh() -> None:
    assert FILE.read_text(encoding="utf-8") == drawn(), "run `make generate`"


def test_the_picture_has_the_phases_in_the_order_of_the_state_machine() -> None:
    shown = [state for stretch in STRETCHES for _, state in stretch.phases if state is not None]
    order = [name for name in definition("migrate")["States"] if name in shown]
    assert order == shown
