"""Checks of the CLI endpoint of an environment's web server. Their commands read, or name DAGs that are not there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import urllib3

from migration.airflow import versions
from migration.airflow.cli import AirflowCli, json_of
from migration.airflow.endpoint import Endpoint
from migration.airflow.pausing import MOST_BYTES, SECONDS_A_COMMAND
from migration.errors import CliAnswerInvalid, CliRefused, CliUnreachable

from .finding import Check, Finding, as_expected, asking

if TYPE_CHECKING:
    from mypy_boto3_mwaa import MWAAClient

PATH = Check(
    "cli-path",
    "Which form of the CLI endpoint's path answers?",
    "/aws_mwaa/cli with 200, or with 307 to /aws_mwaa/cli/ on the same host; that one with 200",
    "No command reaches Airflow: a migration fails in CheckParsed, before anything is paused. Look at what stands "
    "between you and the web server.",
    stops=True,
)
FAILURE = Check(
    "cli-failure",
    "Does a migration see that a command failed?",
    "a status other than 200, or 200 with the reason in stderr and nothing in stdout",
    "A command that failed counts as done: DAGs may stay paused after the cut-over. Do not migrate before this is "
    "understood; the finding has what the endpoint answered.",
    stops=True,
)
COMMANDS = Check(
    "cli-commands",
    "Does the endpoint run the commands that read Airflow's state?",
    "dags list (from Airflow 2.2 on) and dags list-import-errors (from 2.6 on) print JSON",
    "A rehearsal's checks of the target cannot be made, and whether the source is paused at the cut-over is not seen.",
    stops=False,
)
LONG_LINE = Check(
    "cli-long-line",
    "Does a regular expression in a long line reach Airflow?",
    f"from Airflow 2.10 on, Airflow answers to a line of {MOST_BYTES:,} bytes",
    "DAGs are paused and unpaused one a command, so the cut-over takes longer; the plan's estimate for versions before "
    "2.10 holds for this one too.",
    stops=False,
)
SECONDS = Check(
    "cli-seconds",
    "How long does a command take?",
    f"at most {2 * SECONDS_A_COMMAND} seconds",
    f"The plan reckons with {SECONDS_A_COMMAND} seconds a command where DAGs are paused one by one; take this instead.",
    stops=False,
)
CHECKS = (PATH, FAILURE, COMMANDS, LONG_LINE, SECONDS)

_PATHS = ("/aws_mwaa/cli", "/aws_mwaa/cli/")
# No DAG has this name.
_NOBODY = "mwaa_migrator_doctor_asks_for_no_dag"
_DATE = "1970-01-01T00:00:00+00:00"


def findings(mwaa: MWAAClient, environment: str, airflow_version: str) -> Iterator[Finding]:
    """Asks the endpoint of one environment; a command or two for each question."""
    run = Endpoint(mwaa, environment)
    cli = AirflowCli(run, airflow_version)
    version = versions.parse(airflow_version)
    yield from asking(PATH, environment, lambda: _path(mwaa, environment))
    yield from asking(FAILURE, environment, lambda: _failure(mwaa, environment, run, version.major))
    if version >= versions.Version(2, 2, 0):
        yield from asking(COMMANDS, environment, lambda: _commands(environment, run, version))
    if cli.unpauses_many:
        yield from asking(LONG_LINE, environment, lambda: _long_line(environment, cli))
    yield from asking(SECONDS, environment, lambda: _seconds(environment, run))


def _path(mwaa: MWAAClient, environment: str) -> Finding:
    answers, works = [], False
    for path in _PATHS:
        status, location = _post(mwaa, environment, path, "version")
        answers.append(f"{path}: {status}{f' to {location}' if location else ''}")
        works = status == 200 or (path == _PATHS[0] and status in (307, 308) and location.endswith(_PATHS[1]))
        if not works:
            break
    return as_expected(PATH, environment, works, "; ".join(answers))


def _failure(mwaa: MWAAClient, environment: str, run: Endpoint, major: int) -> Finding:
    # Both read the database for a DAG that is there; this one is not.
    words = ("task_state", _NOBODY, "none", _DATE) if major == 1 else ("tasks", "states-for-dag-run", _NOBODY, _DATE)
    path = _PATHS[1] if major >= 3 else _PATHS[0]
    status, _ = _post(mwaa, environment, path, " ".join(words))
    answer = run(*words)
    where = " and ".join(name for name, text in (("stdout", answer.stdout), ("stderr", answer.stderr)) if text.strip())
    found = f"status {status}, with output in {where or 'neither stdout nor stderr'}"
    return as_expected(FAILURE, environment, not answer.succeeded, found)


def _commands(environment: str, run: Endpoint, version: versions.Version) -> Finding:
    wanted = ["dags list"] + (["dags list-import-errors"] if version >= versions.Version(2, 6, 0) else [])
    answers = {command: run(*command.split(), "--output", "json") for command in wanted}
    # Without import errors some versions print nothing but a sentence.
    silent = {
        command: answer.last_words() or "no output"
        for command, answer in answers.items()
        if json_of(answer.stdout) is None
        and not (answer.succeeded and answer.stdout.strip() in ("[]", "No data found"))
    }
    found = "; ".join(f"{command}: {silent.get(command, 'JSON')}" for command in wanted)
    return as_expected(COMMANDS, environment, not silent, found)


def _long_line(environment: str, cli: AirflowCli) -> Finding:
    # Each name takes its own bytes and one for the bar between two.
    names = [f"{_NOBODY}_{number:04}" for number in range((MOST_BYTES - 4) // (len(_NOBODY) + 6))]
    try:
        answer = cli.set_paused(names, paused=True)
    except (CliAnswerInvalid, CliRefused) as error:
        return as_expected(LONG_LINE, environment, False, f"refused: {error}")
    # It says, with or without failing, that none was found.
    said = (answer.stdout.strip() or answer.stderr.strip()).splitlines()
    return as_expected(
        LONG_LINE, environment, any("found" in line for line in said), said[-1][-120:] if said else "none"
    )


def _seconds(environment: str, run: Endpoint) -> Finding:
    started = time.monotonic()
    run("version")
    taken = time.monotonic() - started
    return as_expected(SECONDS, environment, taken <= 2 * SECONDS_A_COMMAND, f"{taken:.1f} seconds")


def _post(mwaa: MWAAClient, environment: str, path: str, command: str) -> tuple[int, str]:
    """The status and the Location of an answer, with a token of its own. Raises CliUnreachable."""
    token = mwaa.create_cli_token(Name=environment)
    pool = urllib3.PoolManager(
        ca_certs=os.environ.get("AWS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE"), timeout=60, retries=False
    )
    headers = {"Authorization": f"Bearer {token['CliToken']}", "Content-Type": "text/plain"}
    try:
        response = pool.request(
            "POST", f"https://{token['WebServerHostname']}{path}", body=command.encode(), headers=headers
        )
    except urllib3.exceptions.HTTPError as error:
        raise CliUnreachable(
            f"no connection to {token['WebServerHostname']} ({type(error).__name__}). A private web server answers in "
            "its VPC only: run doctor there, in AWS CloudShell with that VPC, for example"
        ) from error
    return response.status, response.headers.get("Location", "")
