"""Checks by a DAG of ours in the environment: what a task of a migration would find there.

The DAG's files, the access to one key of the exchange bucket, the answer and the DAG's rows are taken back in any case.
What a killed probe has left, the next one takes back: its names are always the same.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from migration.airflow import our_dags
from migration.airflow.cli import AirflowCli
from migration.airflow.endpoint import Endpoint
from migration.aws import s3_object
from migration.environments.bucket_writer import BucketWriter
from migration.environments.environment import bucket_name
from migration.environments.s3_objects import folder
from migration.errors import DagRunRefused
from migration.exchange import grants, layout

from .finding import REFUSALS, Check, Finding, as_expected

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_mwaa import MWAAClient
    from mypy_boto3_s3 import S3Client

# Enough for all tries of a task that ends when it has been idle for longest.
_PARSED_WITHIN, _ANSWERED_WITHIN = 900.0, 900.0
IDLE_SECONDS = (30, 60, 120)

TRIGGER = Check(
    "cli-trigger",
    "Does the CLI trigger a run of our DAG, and name it?",
    f"the DAG is known within {_PARSED_WITHIN / 60:.0f} minutes, and the run's id is in the command's output",
    "A migration cannot start its export or its import, and is rolled back before anything is paused.",
    stops=True,
)
TASK = Check(
    "probe-task",
    "Does a task of ours run, and reach the exchange bucket?",
    f"its answer is in the bucket within {_ANSWERED_WITHIN / 60:.0f} minutes",
    "No artifact can be written or read. Look at the task's log, and at the environment's network: its tasks need a "
    "way to Amazon S3 whose endpoint policy allows the exchange bucket.",
    stops=True,
)
WAY_IN = Check(
    "probe-way-in",
    "By which way do tasks reach the metadata database?",
    "Airflow's engine on 2.x; on 3.x one of those that the worker's environment leads to",
    "On 2.x neither export nor import can run. A target of 3.x lets no import in, so a migration with auto as "
    "options.path falls back to the path through 2.11: plan the day with the upgrade in place, or choose that path at "
    "once and spare the detour.",
    stops=False,
)
ROLE = Check(
    "probe-role",
    "Who is a task in the metadata database?",
    "the owner of Airflow's tables or a member of it, which may read and write them",
    "Export or import is refused by the database, and the migration is rolled back.",
    stops=True,
)
SCHEMA = Check(
    "probe-schema",
    "May a task create a schema?",
    "yes",
    "An import has no place for the scratch schema: the migration fails before anything is paused.",
    stops=True,
)
IDLE = Check(
    "probe-idle",
    "How long does an idle connection live?",
    f"{IDLE_SECONDS[-1]} seconds at least",
    "Sessions that wait while Airflow migrates depend on being kept alive; a rehearsal shows whether that suffices.",
    stops=False,
)
CHECKS = (TRIGGER, TASK, WAY_IN, ROLE, SCHEMA, IDLE)

_DAG = our_dags.DOCTOR
# By their names in the DAG folder, in the order in which they come there.
_FILES = {f"{_DAG}_ways.py": "ways_in.py", f"{_DAG}.py": "probe_dag.py"}
_ANSWER = "probe.json"
_PAUSE = 5.0
# How long after its end a task's own process may write rows, with Airflow's defaults (LocalTaskJob).
_SETTLED_AFTER = 75.0


@dataclass(frozen=True)
class Exchange:
    """The exchange bucket and the ARN of its key, with clients of their region, the stack's."""

    s3: S3Client
    kms: KMSClient
    bucket: str
    key_arn: str


def run_probe(
    mwaa: MWAAClient,
    s3: S3Client,
    exchange: Exchange,
    settings: Mapping[str, Any],
    say: Callable[[str], None],
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Finding]:
    """Runs our DAG in one environment, given as GetEnvironment has it.

    Args:
        mwaa, s3: of the environment's region.
        say: gets what is waited for.
    """
    name = settings["Name"]
    try:
        answers = _Probe(mwaa, s3, exchange, settings, say, wait).run()
    except DagRunRefused as error:
        yield as_expected(TRIGGER, name, False, str(error))
        return
    except REFUSALS as error:
        yield Finding(TASK, name, "unknown", f"could not be asked: {error}")
        return
    yield as_expected(TRIGGER, name, True, "yes")
    yield as_expected(TASK, name, bool(answers), "yes" if answers else "no answer has come")
    if answers:
        yield from _judge(name, answers)


def _judge(name: str, answers: Mapping[str, Any]) -> Iterator[Finding]:
    ways = answers["waysIn"]
    closed = "; ".join(f"{way} ({reason})" for way, reason in sorted(answers.get("closed", {}).items()))
    yield as_expected(WAY_IN, name, bool(ways), ", ".join(ways) or f"none. Tried: {closed}")
    if not ways:
        return
    who = answers["who"]
    relation = "is" if who["user"] == who["owner"] else "is a member of" if who["isMember"] else "is no member of"
    rights = "may read and write them" if who["mayWrite"] else "may not read and write them"
    found = f"{who['user']} {relation} the tables' owner, {who['owner']}, and {rights}; {who['server']}"
    yield as_expected(ROLE, name, who["isMember"] and who["mayWrite"], found)
    yield as_expected(SCHEMA, name, not answers["schemaRefusal"], answers["schemaRefusal"] or "yes")
    yield as_expected(IDLE, name, answers["idleSeconds"] >= IDLE_SECONDS[-1], f"{answers['idleSeconds']:.0f} seconds")


class _Probe:
    """One run of the DAG in one environment."""

    def __init__(
        self,
        mwaa: MWAAClient,
        s3: S3Client,
        exchange: Exchange,
        settings: Mapping[str, Any],
        say: Callable[[str], None],
        wait: Callable[[float], None],
    ) -> None:
        self._s3, self._exchange, self._say, self._wait = s3, exchange, say, wait
        self._name, self._role = settings["Name"], settings["ExecutionRoleArn"]
        self._cli = AirflowCli(Endpoint(mwaa, self._name), settings["AirflowVersion"])
        self._id = f"doctor-{self._name}"
        self._bucket, self._folder = bucket_name(settings["SourceBucketArn"]), folder(settings["DagS3Path"])
        self._answer = f"{layout.artifact(self._id)}/{_ANSWER}"

    def run(self) -> dict[str, Any]:
        """The task's answers, or nothing where none came in time. Raises DagRunRefused."""
        with _ending_on_sigterm():
            try:
                self._put()
                self._trigger()
                return self._answers()
            finally:
                self._take_back()

    def _put(self) -> None:
        grants.grant(
            self._exchange.s3, self._exchange.kms, self._exchange.bucket, self._exchange.key_arn,
            [layout.artifact(self._id)], self._id, [self._role],
        )  # fmt: skip
        self._exchange.s3.delete_object(Bucket=self._exchange.bucket, Key=self._answer)
        writer = BucketWriter.of(self._s3, self._bucket)
        for name, module in _FILES.items():
            content = files(__package__).joinpath(module).read_bytes()
            writer.put(self._folder + name, content, "text/x-python")

    def _trigger(self) -> None:
        self._say(f"{self._name}: waiting until Airflow knows {_DAG}, up to {_PARSED_WITHIN / 60:.0f} minutes")
        if not self._until(lambda: self._cli.find_or_unpause(_DAG), _PARSED_WITHIN):
            raise DagRunRefused(
                f"Airflow does not know {_DAG}; look at its import errors and the scheduler's log group"
            )
        now = datetime.now(UTC)
        conf = {"bucket": self._exchange.bucket, "key": self._answer, "idleSeconds": list(IDLE_SECONDS)}
        self._cli.trigger(_DAG, f"{_DAG}__{now:%Y%m%dT%H%M%S}", now.isoformat(timespec="seconds"), conf)

    def _answers(self) -> dict[str, Any]:
        self._say(f"{self._name}: waiting for the task's answer, {IDLE_SECONDS[-1]} seconds at least")
        if not self._until(lambda: self._read() is not None, _ANSWERED_WITHIN):
            return {}
        found: dict[str, Any] = json.loads(self._read() or b"{}")
        return found

    def _read(self) -> bytes | None:
        stored = s3_object.read(self._exchange.s3, self._exchange.bucket, self._answer)
        return None if stored is None else stored.body

    def _until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        for _ in range(int(seconds / _PAUSE)):
            if is_so():
                return True
            self._wait(_PAUSE)
        return False

    def _take_back(self) -> None:
        self._say(f"{self._name}: taking the DAG back, for {_SETTLED_AFTER:.0f} seconds")
        for name in reversed(_FILES):
            self._s3.delete_object(Bucket=self._bucket, Key=self._folder + name)
        exchange = self._exchange
        exchange.s3.delete_object(Bucket=exchange.bucket, Key=self._answer)
        grants.revoke(exchange.s3, exchange.kms, exchange.bucket, exchange.key_arn, self._id)
        self._wait(_SETTLED_AFTER)
        self._cli.delete_dag(_DAG)


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Lets SIGTERM end the block as Ctrl-C does, so that it takes back what it has put."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
