"""What a migration leaves wherever people look: texts, each with its place, and the credentials that are in none."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from types import TracebackType

import psutil
import psycopg2
from psycopg2 import sql

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment

#: Of the local AWS: when a token expires, and its signature.
_TOKEN = re.compile(r"\d{9,}\.\d+:[0-9a-f]{64}")
_TABLES = (
    "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')"
)

Trace = tuple[str, str]


class ProcessArguments:
    """The command lines of all processes of the machine that were seen in the block."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ProcessArguments:
        self._watching.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._watching.join()

    def _watch(self) -> None:
        known: set[int] = set()
        while not self._ended.wait(0.1):
            pids = set(psutil.pids())
            for pid in pids - known:
                with suppress(psutil.Error):
                    self.seen.add(" ".join(psutil.Process(pid).cmdline()))
            known = pids


def traces(aws: AwsWithMwaa, environments: Sequence[Environment]) -> Iterator[Trace]:
    """Everything in S3, in the logs, in the executions' histories, in the environments' databases and log files."""
    yield from _objects(aws)
    yield from _log_events(aws)
    yield from _histories(aws)
    for environment in environments:
        yield from _rows(environment)
        assert environment.airflow is not None
        home = environment.airflow.home
        for file in [*home.joinpath("processes").rglob("*"), *home.joinpath("logs").rglob("*")]:
            if file.is_file():
                yield str(file), file.read_text(errors="replace")


def credentials_in(aws: AwsWithMwaa, text: str) -> list[str]:
    """Which of the metadata databases' credentials a text has: the names of their kinds."""
    proxy = aws.database_proxy.settings
    found = {"password": proxy.secret in text, "signing key": proxy.signing_key in text, "token": _TOKEN.search(text)}
    return [name for name, there in found.items() if there]


def _objects(aws: AwsWithMwaa) -> Iterator[Trace]:
    s3 = aws.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"]):
            for item in page.get("Versions", []):
                key = {"Bucket": bucket["Name"], "Key": item["Key"], "VersionId": item["VersionId"]}
                body = s3.get_object(**key)["Body"].read()
                if item["Key"].endswith(".gz"):
                    body = gzip.decompress(body)
                yield f"s3://{bucket['Name']}/{item['Key']}", body.decode("latin-1")


def _log_events(aws: AwsWithMwaa) -> Iterator[Trace]:
    logs = aws.client("logs")
    for group in [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
            for event in page["events"]:
                yield f"{group} {event['logStreamName']}", event["message"]


def _histories(aws: AwsWithMwaa) -> Iterator[Trace]:
    client = aws.client("stepfunctions")
    for machine in aws.deployed.state_machines.values():
        for execution in client.list_executions(stateMachineArn=machine)["executions"]:
            arn = execution["executionArn"]
            for page in client.get_paginator("get_execution_history").paginate(executionArn=arn):
                yield arn, json.dumps(page["events"], default=str)


def _rows(environment: Environment) -> Iterator[Trace]:
    """Each row of each table as text, scratch schemas and our own tables included."""
    with closing(psycopg2.connect(environment.database.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(_TABLES)
        for schema, table in cursor.fetchall():
            cursor.execute(sql.SQL("select t::text from {} t").format(sql.Identifier(schema, table)))
            for (row,) in cursor.fetchall():
                yield f"{environment.name} {schema}.{table}", row
