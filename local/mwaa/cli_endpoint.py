"""The part of an environment's web server that programs use: `POST /aws_mwaa/cli`, over TLS, one command at a time."""

from __future__ import annotations

import base64
import json
import logging
import secrets
import shlex
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol
from wsgiref.types import StartResponse

from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Request, Response

from local.aws.certificates import Certificates

logger = logging.getLogger(__name__)

#: Seconds; https://docs.aws.amazon.com/mwaa/latest/userguide/call-mwaa-apis-cli.html
TOKEN_LIFETIME = 60.0
#: Seconds for which MWAA's load balancer waits for the web server.
COMMAND_TIMEOUT = 60.0

#: Commands that MWAA does not run, by their first words; https://docs.aws.amazon.com/mwaa/latest/userguide/airflow-cli-command-reference.html
_REFUSED = (
    ("celery",), ("config", "get-value"), ("dag-processor",), ("db", "downgrade"), ("db", "drop"), ("db", "init"),
    ("db", "migrate"), ("db", "reset"), ("db", "shell"), ("db", "upgrade"), ("flower",), ("initdb",), ("kerberos",),
    ("resetdb",), ("rotate-fernet-key",), ("scheduler",), ("shell",), ("standalone",), ("triggerer",), ("upgradedb",),
    ("users",), ("webserver",), ("api-server",), ("worker",),
)  # fmt: skip


class Commands(Protocol):
    def __call__(self, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]: ...


class CliEndpoint:
    """An environment's HTTPS server on a free port, and the tokens for it."""

    def __init__(self, certificates: Certificates, run: Commands, clock: Callable[[], float] = time.monotonic) -> None:
        #: For injecting faults: answers in place of the web server, from the command and what would carry it out.
        self.interceptor: Callable[[str, Callable[[], Response]], Response] | None = None
        self._run = run
        self._clock = clock
        self._tokens: dict[str, float] = {}
        self._one_at_a_time = threading.Lock()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server_certificate, certificates.server_key)
        self._server: BaseWSGIServer = make_server("127.0.0.1", 0, self, threaded=True, ssl_context=context)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def host(self) -> str:
        """CreateCliToken's WebServerHostname; here with a port."""
        return f"127.0.0.1:{self._server.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def new_token(self) -> str:
        """A token that is valid for TOKEN_LIFETIME seconds."""
        now = self._clock()
        self._tokens = {token: until for token, until in self._tokens.items() if until > now}
        token = secrets.token_urlsafe(48)
        self._tokens[token] = now + TOKEN_LIFETIME
        return token

    def expire_tokens(self) -> None:
        """Makes every token invalid that was given, for injecting faults."""
        self._tokens = dict.fromkeys(self._tokens, self._clock() - 1)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        # Read in any case: a connection that is closed with an unread body is reset, and the answer is lost.
        command = request.get_data(as_text=True)
        if request.path != "/aws_mwaa/cli":
            return Response("Not Found", 404)
        if request.method != "POST":
            return Response("Method Not Allowed", 405)
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        until = self._tokens.get(token)
        if kind != "Bearer" or until is None or until < self._clock():
            return Response("Forbidden", 403)
        if self.interceptor is not None:
            return self.interceptor(command, lambda: self._carry_out(command))
        return self._carry_out(command)

    def _carry_out(self, command: str) -> Response:
        try:
            arguments = shlex.split(command)
        except ValueError as error:
            return _answer(400, b"", f"the command line cannot be read: {error}\n".encode())
        if not arguments or any(tuple(arguments[: len(words)]) == words for words in _REFUSED):
            return _answer(400, b"", f"unsupported command: airflow {' '.join(arguments[:2])}\n".encode())
        # MWAA's web server has little concurrency: a second command waits.
        with self._one_at_a_time:
            try:
                done = self._run(arguments, COMMAND_TIMEOUT)
            except subprocess.TimeoutExpired:
                return Response("Gateway Time-out", 504)
        return _answer(200 if done.returncode == 0 else 400, done.stdout, done.stderr)


def _answer(status: int, stdout: bytes, stderr: bytes) -> Response:
    content = {"stdout": base64.b64encode(stdout).decode(), "stderr": base64.b64encode(stderr).decode()}
    return Response(json.dumps(content), status, {"Content-Type": "application/json"})
