"""Debian's Chromium, without a window, spoken to through a pipe in its own protocol (Chrome DevTools Protocol)."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE = 60.0
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # in containers and as root there is none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


class ChromiumFailed(Exception):
    """Chromium refused a command, ended, or did not answer in time."""


def installed() -> str | None:
    """The path of Chromium, or None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class Page:
    """What a window shows. `requests` has every URL that loading it asked for, `complaints` what the console said."""

    _browser: _Browser
    _session: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def go(self, url: str) -> None:
        """Returns when the page at that URL is loaded.

        Raises:
            ChromiumFailed: it cannot be.
        """
        self._browser.events.clear()
        failure = self._browser.call("Page.navigate", self._session, url=url).get("errorText")
        if failure:
            raise ChromiumFailed(f"{url}: {failure}")
        self._browser.wait("Page.loadEventFired", self._session)
        self.requests = list(_requests(self._browser.events))
        self.complaints = list(_complaints(self._browser.events))

    def unplug(self) -> None:
        """Takes the network away."""
        unplugged = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self._browser.call("Network.emulateNetworkConditions", self._session, **unplugged)

    def wait_for(self, expression: str, seconds: float = 30.0) -> bool:
        """Whether a JavaScript expression comes true in that time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            # A page that is about to make room for another one evaluates nothing.
            with contextlib.suppress(ChromiumFailed):
                if self.evaluate(expression):
                    return True
            time.sleep(0.2)
        return False

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; the page's own policy does not hold for it."""
        told = self._browser.call(
            "Runtime.evaluate", self._session, expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in told:
            raise ChromiumFailed(f"{expression}: {told['exceptionDetails']}")
        return told["result"].get("value")

    def picture(self, height: int | None = None) -> bytes:
        """A PNG of the page; of its first `height` pixels only, if given."""
        width = self.evaluate("document.documentElement.clientWidth")
        whole = self.evaluate("document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": width, "height": min(height or whole, whole), "scale": 1}
        told = self._browser.call("Page.captureScreenshot", self._session, clip=clip, captureBeyondViewport=True)
        return base64.b64decode(told["data"])

    def pdf(self) -> bytes:
        """As it is printed."""
        return base64.b64decode(self._browser.call("Page.printToPDF", self._session, printBackground=True)["data"])


class _Browser:
    def __init__(self, program: str, profile: str) -> None:
        commands, answers = os.pipe(), os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4. sh knows descriptors of one digit only.
        script = f'exec "$@" 3<&{commands[0]} 4>&{answers[1]}'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", program, *_ARGUMENTS, f"--user-data-dir={profile}"],
            pass_fds=(commands[0], answers[1]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands[0])
        os.close(answers[1])
        self._commands, self._answers = commands[1], answers[0]
        self._numbers = itertools.count(1)
        self._rest = b""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + _PATIENCE
        while True:
            told = self._next(method, deadline)
            if told.get("id") == number:
                if "error" in told:
                    raise ChromiumFailed(f"{method}: {told['error']['message']}")
                result: dict[str, Any] = told["result"]
                return result
            self.events.append(told)

    def wait(self, method: str, session: str) -> None:
        """Until an event of that name has come."""
        deadline = time.monotonic() + _PATIENCE
        while not any(event.get("method") == method and event.get("sessionId") == session for event in self.events):
            self.events.append(self._next(method, deadline))

    def end(self) -> None:
        # With what it has started, which otherwise takes a moment to notice.
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def _next(self, what: str, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], max(deadline - time.monotonic(), 0))
            read = os.read(self._answers, 1 << 20) if ready else b""
            if not read:
                raise ChromiumFailed(f"{what}: {'Chromium has ended' if ready else f'no answer within {_PATIENCE} s'}")
            self._rest += read
        line, self._rest = self._rest.split(b"\0", 1)
        told: dict[str, Any] = json.loads(line)
        return told


@contextmanager
def window(width: int = 1280, height: int = 900, *, dark: bool = False, scale: float = 1) -> Iterator[Page]:
    """A browser window of that size, with an empty page.

    Raises:
        ChromiumFailed: there is no Chromium.
    """
    program = installed()
    if program is None:
        raise ChromiumFailed(f"none of {', '.join(NAMES)} is on PATH; on Debian, `apt-get install chromium`")
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        browser = _Browser(program, profile)
        try:
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Network", "Log", "Runtime"):
                browser.call(f"{domain}.enable", session)
            # With `mobile` the page's own viewport counts, and a page that is too wide shows itself as one.
            screen = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
            browser.call("Emulation.setDeviceMetricsOverride", session, **screen)
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            browser.call("Emulation.setEmulatedMedia", session, features=[scheme])
            yield Page(browser, session)
        finally:
            browser.end()


@contextmanager
def opened(file: Path, width: int = 1280, height: int = 900, *, dark: bool = False, scale: float = 1) -> Iterator[Page]:
    """A file in a browser window of that size, without a network.

    Raises:
        ChromiumFailed: there is no Chromium, or it cannot load the file.
    """
    with window(width, height, dark=dark, scale=scale) as page:
        page.unplug()
        page.go(file.resolve().as_uri())
        yield page


def _requests(events: list[dict[str, Any]]) -> Iterator[str]:
    for event in events:
        if event.get("method") == "Network.requestWillBeSent":
            yield event["params"]["request"]["url"]


def _complaints(events: list[dict[str, Any]]) -> Iterator[str]:
    for event in events:
        if event.get("method") == "Log.entryAdded":
            yield event["params"]["entry"]["text"]
        elif event.get("method") == "Runtime.exceptionThrown":
            yield event["params"]["exceptionDetails"]["text"]
        elif event.get("method") == "Runtime.consoleAPICalled":
            yield str(event["params"]["args"])
