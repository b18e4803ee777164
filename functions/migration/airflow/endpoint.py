"""The CLI endpoint of an environment's web server.

It takes a command line without the leading `airflow` and answers JSON with `stdout` and `stderr` in base64. It runs one
command at a time; a token is valid for 60 seconds, so each call asks for a fresh one. Airflow 3's web server redirects
to the form with a slash at its end. The status of a command that failed is documented nowhere, and AWS's own clients
look at the output alone.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin, urlsplit

import urllib3
from botocore.exceptions import ClientError

from migration.aws.client_errors import code_of
from migration.errors import CliAnswerInvalid, CliRefused, CliUnreachable, EnvironmentUnavailable, TransientError

if TYPE_CHECKING:
    from mypy_boto3_mwaa import MWAAClient


@dataclass(frozen=True)
class Answer:
    """What a command printed, and whether it has succeeded: both the endpoint's status and the output say so."""

    succeeded: bool
    stdout: str
    stderr: str

    def last_words(self) -> str:
        """The end of what the command said, short enough for an error message."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return " | ".join(line.strip() for line in lines[-3:])[-500:]


_PATH = "/aws_mwaa/cli"
_REDIRECTS = (307, 308)
# What Airflow logs, but for what 1.10's command line (bin/cli.py) tells by its log.
_LOG_LINE = re.compile(r"\[\d{4}-\d\d-\d\d[T ](?!.*\{cli\.py:)")


class Runner(Protocol):
    def __call__(self, *command: str) -> Answer: ...


class Endpoint:
    """Runs commands in one environment."""

    def __init__(self, mwaa: MWAAClient, environment: str) -> None:
        self._mwaa = mwaa
        self._environment = environment

    def __call__(self, *command: str) -> Answer:
        """Runs `airflow <command>`, each argument quoted.

        Raises EnvironmentUnavailable, CliRefused, CliUnreachable, CliAnswerInvalid, or TransientError for 429 and 5xx.
        The command itself may have failed: see `Answer.succeeded`.
        """
        try:
            return self._ask(command)
        except CliRefused:
            # A token can expire on its way to a web server that is busy; a refused command has not run.
            return self._ask(command)

    def _ask(self, command: tuple[str, ...]) -> Answer:
        try:
            token = self._mwaa.create_cli_token(Name=self._environment)
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            raise EnvironmentUnavailable(
                f"{self._environment}: Amazon MWAA has no web server of that name any more. Was it deleted meanwhile?"
            ) from error
        host, body = token["WebServerHostname"], shlex.join(command).encode()
        headers = {"Authorization": f"Bearer {token['CliToken']}", "Content-Type": "text/plain"}
        try:
            pool = _pool()
            response = pool.request("POST", f"https://{host}{_PATH}", body=body, headers=headers)
            if response.status in _REDIRECTS and _leads_to_the_slash(response.headers.get("Location", ""), host):
                response = pool.request("POST", f"https://{host}{_PATH}/", body=body, headers=headers)
        # Not its base class, TimeoutError: to urllib3 a refused connection is one too.
        except urllib3.exceptions.ReadTimeoutError as error:
            raise TransientError(f"{self._environment}: `{command[0]}` got no answer from {host} in time.") from error
        except urllib3.exceptions.HTTPError as error:
            raise CliUnreachable(
                f"{self._environment}: no connection to {host} ({type(error).__name__}). A private web server can be "
                "reached only from its VPC: give the stack SubnetIds and SecurityGroupIds."
            ) from error
        return self._read(response.status, response.data)

    def _read(self, status: int, body: bytes) -> Answer:
        if status in (401, 403):
            raise CliRefused(
                f"{self._environment}: the CLI endpoint answered {status}. The function's role needs "
                "airflow:CreateCliToken on this environment."
            )
        if status in _REDIRECTS:
            raise CliAnswerInvalid(
                f"{self._environment}: the CLI endpoint redirects to another place than {_PATH}/ on its own host, "
                "and the token goes nowhere else. What stands between the function and the web server?"
            )
        if status == 429 or status >= 500:
            raise TransientError(f"{self._environment}: the CLI endpoint answered {status}.")
        try:
            answer = json.loads(body)
            stdout, stderr = _decode(answer["stdout"]), _decode(answer["stderr"])
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise CliAnswerInvalid(
                f"{self._environment}: the CLI endpoint answered {status} with {len(body)} bytes that are not JSON "
                "with base64 stdout and stderr. Look at the web server's log group."
            ) from error
        return Answer(status == 200 and not _tells_failure(stdout, stderr), stdout, stderr)


def _leads_to_the_slash(location: str, host: str) -> bool:
    """Whether a redirect goes to the form with the slash of the same host.

    A web server behind a load balancer may write http; what is sent there goes by https in any case.
    """
    to = urlsplit(urljoin(f"https://{host}{_PATH}", location))
    same = to.netloc == host or (to.scheme == "http" and to.netloc == host.partition(":")[0])
    return same and to.scheme in ("https", "http") and to.path == f"{_PATH}/"


def _tells_failure(stdout: str, stderr: str) -> bool:
    """Whether a command has said nothing but why it failed: those used here print what they did.

    A traceback beside an answer is somebody else's, a plugin's perhaps.
    """
    said = [line for line in stdout.splitlines() if line.strip() and not _LOG_LINE.match(line)]
    return not said and bool(stderr.strip())


def _decode(text: str) -> str:
    return base64.b64decode(text, validate=True).decode("utf-8", "replace")


def _pool() -> urllib3.PoolManager:
    # The pool lives for one call: calls to one web server are minutes apart, and no retry may send a command twice.
    return urllib3.PoolManager(
        ca_certs=os.environ.get("AWS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE"),
        timeout=urllib3.Timeout(connect=10, read=120),
        retries=False,
    )
