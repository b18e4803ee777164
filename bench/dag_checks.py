"""What checking the DAGs of a large deployment costs: S3, decoding, ruff, in a process that has to import everything.

It runs from its package, with its layer, against the local AWS's S3, on all cores there are.
"""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

from bench import memory
from bench.results import Result
from local.aws.endpoint import Endpoint
from local.aws.iam.identity import Identities
from local.installations import lambda_layers, lambda_runtime
from local.installations.lambda_packages import unpack
from tools import packages

FILES = 2000
#: One of them has as many.
LINES = 10_000
MEGABYTE = 1024 * 1024
REGION = "eu-west-1"

_OPERATOR = """
    step_{n} = BashOperator(task_id="step_{n}", bash_command="echo {{{{ ds }}}} {n}", retries=2)
    check_{n} = PythonOperator(task_id="check_{n}", python_callable=lambda **context: context["ti"].xcom_pull())
    step_{n} >> check_{n}
"""
_HEAD = """
import pendulum
from airflow import DAG
from airflow.operators.{module} import BashOperator
from airflow.operators.python import PythonOperator

with DAG("dag_{n}", schedule="@daily", start_date=pendulum.datetime(2024, 1, 1)) as dag:
"""

_CHECK = """
import json, sys, tempfile, time
from pathlib import Path
begun = time.perf_counter()
from migration.aws import clients
from migration.checks import dag_code, dag_files, false_positives, linter
with tempfile.TemporaryDirectory() as folder:
    files = dag_files.fetch(clients.s3(None, 32), "dags", "dags", Path(folder))
    fetched = time.perf_counter()
    violations = false_positives.certain(files.folder, linter.lint(files.folder, "3.12", dag_code.RULES))
    checks = dag_code.check(files, violations, "3.2.1")
ended = time.perf_counter()
found = {check["name"]: len(check.get("findings", [])) for check in checks}
measured = {"fetch": fetched - begun, "all": ended - begun, "files": len(files.files), "found": found}
sys.stdout.write(json.dumps(measured))
"""


def measure() -> list[Result]:
    """The seconds that one process takes, and how many of them pass before ruff starts; the peak memory of both."""
    measured, peak_bytes = _run_checks()
    if measured["files"] != FILES or not measured["found"]["Removed in Airflow 3"]:
        raise RuntimeError(f"the checks did not see what is there: {measured}")
    what = f"{FILES:,} DAG files"
    return [
        Result(f"Checks of {what}, one of {LINES:,} lines, imports included", measured["all"], "s", 60),
        Result(f"Of that, fetching the {what} from the local S3", measured["fetch"], "s"),
        Result(f"Memory of the checks of {what}: Python and ruff", peak_bytes / MEGABYTE, "MB"),
    ]


def _run_checks() -> tuple[dict[str, Any], int]:
    """What the checks found, and the peak memory of the process and of ruff, in bytes."""
    functions, layer = packages.build()
    opt = lambda_layers.install(unpack(layer))
    python = lambda_runtime.install("python3.13")
    identities = Identities()
    endpoint = Endpoint(identities)
    endpoint.start()
    try:
        variables = {
            **identities.administrator.environment(),
            "AWS_ENDPOINT_URL": endpoint.url,
            "AWS_DEFAULT_REGION": REGION,
            "PATH": f"{os.defpath}{os.pathsep}{opt / 'bin'}",
        }
        _put_dags(identities, endpoint.url)
        command, package = [str(python), "-c", _CHECK], unpack(functions)
        with (
            subprocess.Popen(command, cwd=package, env=variables, stdout=subprocess.PIPE) as checks,
            memory.watch(checks.pid) as peak,
        ):
            output, _ = checks.communicate()
        if checks.returncode:
            raise RuntimeError(f"the checks ended with exit code {checks.returncode}; what they wrote is above")
    finally:
        endpoint.stop()
    return json.loads(output), peak.bytes


def _put_dags(identities: Identities, url: str) -> None:
    s3: Any = boto3.client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=identities.administrator.access_key_id,
        aws_secret_access_key=identities.administrator.secret_access_key,
    )
    s3.create_bucket(Bucket="dags", CreateBucketConfiguration={"LocationConstraint": REGION})

    def put(number: int) -> None:
        # Every tenth has an import that Airflow 3 has removed.
        module = "bash" if number % 10 else "bash_operator"
        steps = LINES // 4 if number == 0 else 40
        text = _HEAD.format(module=module, n=number) + "".join(_OPERATOR.format(n=step) for step in range(steps))
        s3.put_object(Bucket="dags", Key=f"dags/team_{number % 20}/dag_{number}.py", Body=text.encode())

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(put, range(FILES)))
