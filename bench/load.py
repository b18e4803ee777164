"""A very large source, migrated as a whole: `python -m bench.load [--scale S]`, which `make load` calls.

At scale 1 it has 3,000 DAGs, 100,000 runs, 5,000,000 task instances and 5 million other rows. The migration runs
through the state machine on the local AWS, with real Airflow; what is measured is the time of each phase, the memory of
our tasks, and how near the executions come to the limits of Step Functions. The exit code is 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from bench import memory, workload
from bench.results import Result, table, write_json, write_page
from local.aws import process_setup
from local.installations.folders import ROOT
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from local.rehearsal import application, source_environment

logger = logging.getLogger("bench")

SOURCE, TARGET = "large", "large-2-11"
DAGS = 3_000
#: Files, each with an equal share of the DAGs.
FILES = 30
#: Of the workload's 20,000 runs.
RUNS = 5
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN = "<!-- results: written by `make load` -->"

# Step Functions: 256 KiB for an input or output, 25,000 events for an execution (its developer guide, "Quotas").
_MOST_BYTES, _MOST_EVENTS = 262_144, 25_000
# The most that a task of ours, with all its processes, may take on an mw1.small worker beside the worker itself.
_MOST_MEMORY = 512
_MEGABYTE = 1024 * 1024
_LOOK_SECONDS = 0.25
# How long a scheduler on a slow machine takes to parse every file.
_PARSE_SECONDS = 900.0

_DAG_FILE = """
from datetime import datetime

from airflow import DAG
from airflow.operators.empty import EmptyOperator

for number in range({first}, {last}):
    with DAG(f"dag_{{number}}", start_date=datetime(2024, 1, 1), schedule=None) as dag:
        for task in range(1, 4):
            EmptyOperator(task_id=f"task_{{task}}")
    globals()[dag.dag_id] = dag
"""


class LoadFailed(Exception):
    """The migration of the large source failed."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.load", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="DAGs and runs, as a share of the whole")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "load.json", help="where the JSON goes")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    results = measure(options.scale)
    write_json(results, options.out)
    sys.stdout.write(table(results) + "\n")
    if options.scale == 1:
        write_page(results, f"{os.cpu_count()} cores, one run.", PAGE, BEGIN)
    return 0 if all(result.ok for result in results) else 1


def measure(scale: float) -> list[Result]:
    """Migrates such a source. Raises LoadFailed."""
    dags = max(FILES, round(DAGS * scale))
    with tempfile.TemporaryDirectory(prefix="load-dags-") as folder, AwsWithMwaa() as aws:
        application.deploy(aws)
        for number in range(FILES):
            first, last = (dags * at // FILES for at in (number, number + 1))
            (Path(folder) / f"dags_{number}.py").write_text(_DAG_FILE.format(first=first, last=last))
        source = source_environment.create(aws, SOURCE, workload.AIRFLOW_VERSION, Path(folder), logger.info)
        source_environment.wait_until_parsed(source, {f"dag_{number}" for number in range(dags)}, _PARSE_SECONDS)
        counts = _fill(source, RUNS * scale, dags)
        logger.info("the source has %s", counts)
        with _watched() as peaks:
            executions, report = _migrate(aws)
        history = [_sizes(aws, arn) for arn in executions]
    return [
        Result("DAGs", dags, "DAGs"),
        *(Result(f"Rows of `{name}`", rows, "rows") for name, rows in counts.items()),
        *(Result(f"Phase {phase['name']}", phase["seconds"], "s") for phase in report["phases"]),
        Result("Downtime", report["downtime_seconds"], "s"),
        *(
            Result(f"Memory of the task {name} with its processes, at most", peak / _MEGABYTE, "MB", _MOST_MEMORY)
            for name, peak in sorted(peaks.items())
        ),
        Result("Largest input or output of a state", max(size for size, _ in history), "bytes", _MOST_BYTES),
        Result("Events of the longest execution", max(events for _, events in history), "events", _MOST_EVENTS),
    ]


def _fill(source: Environment, scale: float, dags: int) -> dict[str, int]:
    """Rows by table, after the source's DAGs were unpaused and got their history."""
    with psycopg2.connect(source.database.dsn) as connection, connection.cursor() as cursor:
        cursor.execute("update dag set is_paused = false")
        workload.fill(connection, scale, dags)
        counts = {}
        for name in workload.TABLES:
            cursor.execute(f"select count(*) from {name}")  # a constant
            (counts[name],) = cursor.fetchone() or (0,)
    return counts


def _migrate(aws: AwsWithMwaa) -> tuple[list[str], dict[str, Any]]:
    """The ARNs of the executions, and the report."""
    states = aws.client("stepfunctions")
    document = {
        "source": {"environment": SOURCE},
        "target": {"environment": TARGET, "airflowVersion": "2.11.2"},
        "options": {"pollSeconds": 5},
    }
    arn = states.start_execution(
        stateMachineArn=aws.deployed.state_machines["MigrateStateMachine"], input=json.dumps(document)
    )["executionArn"]
    while (ended := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(1)
    if ended["status"] != "SUCCEEDED":
        raise LoadFailed(f"{ended['status']}: {ended.get('error')}: {ended.get('cause')}")
    output = json.loads(ended["output"])
    body = aws.client("s3").get_object(Bucket=output["bucket"], Key=output["report"])["Body"].read()
    report: dict[str, Any] = json.loads(body)
    if not report["verified"]:
        raise LoadFailed("the report says that not everything was verified")
    copies = states.list_executions(stateMachineArn=aws.deployed.state_machines["CopyLogsStateMachine"])["executions"]
    return [arn, *(copy["executionArn"] for copy in copies)], report


def _sizes(aws: AwsWithMwaa, arn: str) -> tuple[int, int]:
    """The size of the largest input or output in an execution's history, in bytes, and the number of its events."""
    pages = aws.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
    events = [event for page in pages for event in page["events"]]
    texts = [text for event in events for text in _payloads(event)]
    return max(len(text.encode()) for text in texts), len(events)


def _payloads(event: Mapping[str, Any]) -> Iterator[str]:
    for details in event.values():
        if isinstance(details, dict):
            yield from (str(details[name]) for name in ("input", "output", "parameters") if name in details)


@contextmanager
def _watched() -> Iterator[dict[str, int]]:
    """The peaks of our tasks in bytes, by `<DAG>.<task>`, while the block runs."""
    peaks: dict[str, int] = {}

    def look() -> None:
        for name, pid in _runners():
            peaks[name] = max(peaks.get(name, 0), memory.family_pss(pid))

    with memory.looking(look, _LOOK_SECONDS):
        yield peaks


def _runners() -> Iterator[tuple[str, int]]:
    """Airflow's processes that run a task of ours; it gives them the title `airflow task runner: <DAG> <task> ...`."""
    for process in psutil.process_iter(["cmdline"]):
        title = " ".join(process.info["cmdline"] or ())
        if title.startswith("airflow task runner: mwaa_migrator_"):
            dag, task = title.split()[3:5]
            yield f"{dag}.{task}", process.pid


if __name__ == "__main__":
    process_setup.silence_expected_errors()
    process_setup.interrupt_on_sigterm()
    sys.exit(main())
