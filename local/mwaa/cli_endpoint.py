"""The part of an environment's web server that programs use: `POST /aws_mwaa/cli`, over TLS, one command at a time."""

from __future__ import annotations

import base64
import json
import logging
import os
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

#: Where 3.x answers; it redirects from the form without the slash, and 2.x takes both.
_PATH = "/aws_mwaa/cli/"
#: The commands that MWAA runs, by their first words, under the release that they are allowed from;
#: https://docs.aws.amazon.com/mwaa/latest/userguide/airflow-cli-command-reference.html
_ALLOWED: dict[tuple[int, ...], tuple[str, ...]] = {
    (1, 10): (
        "clear", "dag_state", "delete_dag", "list_dag_runs", "list_tasks", "next_execution", "pause", "pool", "render",
        "run", "show_dag", "task_failed_deps", "task_state", "test", "trigger_dag", "unpause", "variables", "version",
    ),
    (2, 0): (
        "cheat-sheet", "connections add", "connections delete", "dags delete", "dags list-jobs", "dags next-execution",
        "dags pause", "dags report", "dags show", "dags state", "dags test", "dags trigger", "dags unpause", "pools",
        "providers", "tasks", "variables", "version",
    ),
    (2, 2): ("dags list", "dags list-runs"),
    (2, 6): ("dags list-import-errors",),
}  # fmt: skip
#: The status of a command that failed, which is documented nowhere: 400, or 200 with the traceback in stderr.
_FAILURE = "CLI_FAILURE"


def is_allowed(arguments: list[str], airflow_version: str) -> bool:
    """Whether MWAA runs a command on that version. 1.10's commands have other names, so only they count there."""
    release = tuple(int(part) for part in airflow_version.split(".")[:2])
    return any(
        arguments[: len(words)] == words
        for since, commands in _ALLOWED.items()
        if since <= release and since[0] == min(release[0], 2)
        for words in map(str.split, commands)
    )


def makes_run_without_date(arguments: list[str], airflow_version: str) -> bool:
    """Whether a command triggers a run without a logical date on 3.x, whose tasks do not run on Amazon MWAA.

    So aws-samples/mwaa-disaster-recovery on 3.0.6.
    """
    if arguments[:2] != ["dags", "trigger"] or int(airflow_version.split(".")[0]) < 3:
        return False
    return not any(word.startswith(("-l", "--logical-date")) for word in arguments[2:])


class Commands(Protocol):
    def __call__(self, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]: ...


class CliEndpoint:
    """An environment's HTTPS server on a free port, and the tokens for it."""

    def __init__(
        self,
        certificates: Certificates,
        run: Commands,
        clock: Callable[[], float] = time.monotonic,
        airflow_version: Callable[[], str] = lambda: "2.11.2",
    ) -> None:
        #: For injecting faults: answers in place of the web server, from the command and what would carry it out.
        self.interceptor: Callable[[str, Callable[[], Response]], Response] | None = None
        self._run = run
        self._clock = clock
        self._airflow_version = airflow_version
        self._failure = int(os.environ.get(_FAILURE, "400"))
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
        if request.path not in (_PATH, _PATH.rstrip("/")):
            return Response("Not Found", 404)
        if request.path != _PATH and int(self._airflow_version().split(".")[0]) >= 3:
            return Response("", 307, {"Location": f"https://{request.host}{_PATH}"})
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
        if not is_allowed(arguments, self._airflow_version()):
            return _answer(400, b"", f"unsupported command: airflow {' '.join(arguments[:2])}\n".encode())
        # MWAA's web server has little concurrency: a second command waits.
        with self._one_at_a_time:
            try:
                done = self._run(arguments, COMMAND_TIMEOUT)
            except subprocess.TimeoutExpired:
                return Response("Gateway Time-out", 504)
        return _answer(200 if done.returncode == 0 else self._failure, done.stdout, done.stderr)


def _answer(status: int, stdout: bytes, stderr: bytes) -> Response:
    content = {"stdout": base64.b64encode(stdout).decode(), "stderr": base64.b64encode(stderr).decode()}
    return Response(json.dumps(content), status, {"Content-Type": "application/json"})
