"""A deployment's real web server, and its stable REST API as a user calls it."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from socket import socket
from typing import Any
from urllib.parse import quote

import requests

from sources.deployment import Deployment

_SECONDS_TO_START = 120


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
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    password = secrets.token_hex()
    installation = deployment.installation
    environment = {
        **deployment.environment(),
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
        "AIRFLOW__WEBSERVER__WORKERS": "1",
    }
    person = ("--firstname", "A", "--lastname", "B", "--email", "a@example.com", "--role", "Admin")
    installation.run("users", "create", "--username", "admin", "--password", password, *person, env=environment)
    with (deployment.home / "webserver.log").open("w") as log:
        process = subprocess.Popen(
            [str(installation.airflow), "webserver", "--hostname", "127.0.0.1", "--port", str(port)],
            env=environment,
            cwd=deployment.home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, url)
        yield RestApi(url, "admin", password)
    finally:
        # Gunicorn ends its workers too.
        process.terminate()
        process.wait(timeout=30)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(url + "/health", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.5)
    raise AssertionError(f"the web server did not answer within {_SECONDS_TO_START} s")
