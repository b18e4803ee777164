"""A deployment's real web server, and its stable REST API as a user calls it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from local.installations import ports
from local.installations.fork_server import ForkedProcess
from sources.deployment import Deployment

_SECONDS_TO_START = 120
_IN_AIRFLOW = Path(__file__).parent / "in_airflow.py"


class RestApi:
    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.auth = (user, password)

    def get(self, *path: str, **parameters: str) -> Any:
        """The answer's JSON. Each part of the path is one segment, whatever characters it has."""
        url = "/".join([self._url, "api/v1", *(quote(part, safe="~") for part in path)])
        answer = self._session.get(url, params=parameters, headers={"Accept": "application/json"}, timeout=30)
        assert answer.status_code == 200, f"{url}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def all(self, what: str, *path: str) -> list[Any]:
        """The entries of a list, from all its pages."""
        entries: list[Any] = []
        while True:
            page = self.get(*path, limit="100", offset=str(len(entries)))
            entries += page[what]
            if not page[what] or len(entries) >= page["total_entries"]:
                return entries


@contextmanager
def web_server(deployment: Deployment) -> Iterator[RestApi]:
    """Starts a web server with one user, on a free port."""
    port = ports.free_port()
    password = secrets.token_hex()
    process = deployment.fork_with_log(
        _IN_AIRFLOW,
        [str(port), "admin", password],
        {"AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth"},
        deployment.home / "webserver.log",
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, url)
        yield RestApi(url, "admin", password)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(process: ForkedProcess, url: str) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(url + "/health", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.5)
    raise AssertionError(f"the web server did not answer within {_SECONDS_TO_START} s")
