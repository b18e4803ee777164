"""How fast logs are copied, compared with what the quotas allow and with the migration guide's method.

CloudWatch Logs is a local server that enforces the quotas and takes as long for an answer as the service does. The
functions run as on Lambda: each worker is a process that takes one batch after the other.
"""

from __future__ import annotations

import importlib
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

from bench import memory
from bench.log_shapes import SOURCE, TARGET, Shape, shapes
from bench.results import Result
from local.aws.logs.quotas import QUOTAS
from local.installations.folders import ROOT

logger = logging.getLogger("bench")

WORKERS = 5
#: Streams that the guide's method copies; each takes the same time.
PEER_STREAMS = 60
MEGABYTE = 1024 * 1024
_REGION, _PARTITION = "eu-west-1", "aws"
_EXECUTION = {
    "execution": "bench",
    "executionArn": f"arn:{_PARTITION}:states:{_REGION}:123456789012:execution:mwaa-migrator-copy-logs:bench",
}


class CopyNotWhole(Exception):
    """A contender did not bring every event to the target."""


@dataclass(frozen=True)
class Measured:
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    calls: int
    throttles: int


def measure(scale: float) -> list[Result]:
    """Every shape of docs/benchmarks.md, at `scale`, with the whole quotas."""
    results = []
    for number, shape in enumerate(shapes(scale)):
        with _service(number, scale) as server:
            bound = server.ask("bound")
            ours = _copy(server, shape)
            incomplete = server.ask("incomplete")
            if incomplete:
                raise CopyNotWhole(
                    f"{shape.about}: {len(incomplete)} streams are not whole, {incomplete[0]} among them"
                )
            peer = _guide(server, shape)
        logger.info("%s: %.1f s, bound %.1f s, guide %.1f s", shape.name, ours.seconds, bound, peer)
        name = f"Logs, {shape.about} ({shape.share})"
        results += [
            Result(f"{name} / what the quotas allow", ours.seconds / bound, "ratio", 1.15),
            Result(f"{name} / the guide's method", ours.seconds / peer, "ratio"),
            Result(f"{name}: calls per 1,000 events", 1000 * ours.calls / shape.events, "calls"),
            Result(f"{name}: processor seconds per million events", 1e6 * ours.cpu_seconds / shape.events, "s"),
            Result(f"{name}: a worker's memory", ours.peak_bytes / MEGABYTE, "MB", 256),
            Result(f"{name}: throttled calls", ours.throttles, "calls"),
        ]
    return results


def _copy(server: Server, shape: Shape) -> Measured:
    """List, copy and collect, as the state machine orders it."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, context, _become_function, (server.environment(),)) as pool:
        # Lambda starts all workers at once; here two processors would have to.
        list(pool.map(_ready, range(WORKERS)))
        begun = time.monotonic()
        given = {"source": {"environment": "old"}, "target": {"environment": "new"}}
        listed, _ = pool.submit(_invoke, "list_log_streams", {"input": given, "progress": None}).result()
        batches = json.loads(server.read(listed["copy"]["bucket"], listed["manifest"]))
        copying = [pool.submit(_batch, listed["copy"], batch) for batch in batches]
        used = [copied.result() for copied in copying]
        _, last = pool.submit(_invoke, "collect_log_results", {"copy": listed["copy"], "failure": {}}).result()
        seconds = time.monotonic() - begun
    report = json.loads(server.read(listed["copy"]["bucket"], f"{listed['copy']['prefix']}/logs.json"))
    if report["events_copied"] != shape.events:
        raise CopyNotWhole(f"{shape.about}: {report['events_copied']} of {shape.events} events were copied")
    return Measured(
        seconds=seconds,
        cpu_seconds=sum(one.cpu_seconds for one in used),
        peak_bytes=max(one.peak_bytes for one in [*used, last]),
        calls=sum(report["calls"].values()),
        throttles=report["throttles"],
    )


def _guide(server: Server, shape: Shape) -> float:
    """Seconds that the migration guide's method takes for a shape: a stream is described, read once, made and written.

    It copies the first page of a stream and no more, one stream after the other.
    """
    client: Any = boto3.client(
        "logs",
        region_name=_REGION,
        endpoint_url=server.url,
        aws_access_key_id="bench",
        aws_secret_access_key="bench",
    )
    names = server.ask("names", min(PEER_STREAMS, shape.streams))
    begun = time.monotonic()
    for number, name in enumerate(names):
        client.describe_log_streams(logGroupName=SOURCE, logStreamNamePrefix=name)
        answer = client.get_log_events(logGroupName=SOURCE, logStreamName=name, startFromHead=True)
        client.create_log_stream(logGroupName=TARGET, logStreamName=f"guide/{number}")
        events = [{"timestamp": event["timestamp"], "message": event["message"]} for event in answer["events"]]
        client.put_log_events(logGroupName=TARGET, logStreamName=f"guide/{number}", logEvents=events)
    return (time.monotonic() - begun) / len(names) * shape.streams


# The functions, in processes of their own.


@dataclass(frozen=True)
class Used:
    cpu_seconds: float
    peak_bytes: int


def _become_function(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    sys.path.insert(0, str(ROOT / "functions"))
    logging.disable(logging.INFO)


def _ready(_: int) -> None:
    for module in ("list_log_streams", "copy_log_events", "collect_log_results"):
        importlib.import_module(module)
    clients = importlib.import_module("migration.aws.clients")
    clients.s3()
    clients.logs(_REGION, None)
    time.sleep(0.2)


def _invoke(module: str, event: dict[str, Any]) -> tuple[dict[str, Any], Used]:
    class Context:
        function_name = module
        memory_limit_in_mb = 512
        invoked_function_arn = f"arn:{_PARTITION}:lambda:{_REGION}:123456789012:function:{module}"
        aws_request_id = "request"

    begun = time.process_time()
    answer = importlib.import_module(module).handler({**_EXECUTION, **event}, Context())
    return answer, Used(time.process_time() - begun, memory.own_peak())


def _batch(copy: dict[str, Any], batch: dict[str, Any]) -> Used:
    cpu_seconds = 0.0
    while True:
        answer, used = _invoke("copy_log_events", {"copy": copy, "batch": batch})
        cpu_seconds += used.cpu_seconds
        if answer["ready"]:
            return Used(cpu_seconds, used.peak_bytes)
        time.sleep(answer["waitSeconds"])


# CloudWatch Logs and S3, in a process of their own.


class Server:
    """`python -m bench.log_shape_server`: the endpoint, and questions to it over its pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = str(self._read())

    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_REGION": _REGION,
            "AWS_DEFAULT_REGION": _REGION,
            "AWS_ENDPOINT_URL": self.url,
            "EXCHANGE_BUCKET": "exchange",
            "LOG_QUOTAS": json.dumps({**QUOTAS, "percent": 100, "workers": WORKERS}),
            "POWERTOOLS_SERVICE_NAME": "mwaa-migrator",
            "POWERTOOLS_METRICS_NAMESPACE": "MwaaMigrator",
            "POWERTOOLS_TRACE_DISABLED": "true",
            "POWERTOOLS_LOG_LEVEL": "ERROR",
            "POWERTOOLS_METRICS_DISABLED": "true",
        }

    def ask(self, *question: Any) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._read()

    def read(self, bucket: str, key: str) -> str:
        return str(self.ask("object", f"/{bucket}/{key}"))

    def _read(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


@contextmanager
def _service(shape: int, scale: float) -> Iterator[Server]:
    command = [sys.executable, "-m", "bench.log_shape_server", str(shape), str(scale)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Server(process)
        assert process.stdin
        process.stdin.close()
