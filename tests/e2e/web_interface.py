"""Airflow 3's web interface in a real browser, with a user who may do everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tools import chromium

#: A button by its words or by its label for who does not see it.
_CLICK = """(name => {
  const named = element => element.textContent.trim() === name || element.getAttribute("aria-label") === name;
  const button = [...document.querySelectorAll("button")].filter(named).find(e => e.checkVisibility() && !e.disabled);
  if (button) button.click();
  return Boolean(button);
})"""


@dataclass(frozen=True)
class WebInterface:
    """A window. `base`: the web server's URL."""

    base: str
    page: chromium.Page

    def show(self, path: str, *texts: str) -> None:
        """Opens a page, and returns when it shows these texts."""
        self.page.go(f"{self.base}{path}")
        self.see(*texts)

    def see(self, *texts: str) -> None:
        shown = f"{json.dumps(texts)}.every(text => document.body.innerText.includes(text))"
        assert self.page.wait_for(shown), (texts, self.page.evaluate("document.body.innerText"))

    def click(self, name: str) -> None:
        assert self.page.wait_for(f"{_CLICK}({json.dumps(name)})"), (
            name,
            self.page.evaluate("[...document.querySelectorAll('button')].map(e => e.outerHTML.slice(0, 300))"),
        )


@contextmanager
def opened(base: str) -> Iterator[WebInterface]:
    with chromium.window(width=1600, height=1000) as page:
        # Whoever has no session yet is sent here, and then to the first page instead of the one asked for.
        page.go(f"{base}/auth/token/login")
        yield WebInterface(base, page)
