"""Runs given definitions: `make pipelines DEFINITIONS=folder RUNS=file`.

Every definition of the folder (*.json) is translated, and parsed by each version of Airflow. Those whose DAGs the file
names run to their end against the local AWS, and what they did is printed. `pipeline_runs/run_file.py` says what the
file may have.
"""

from __future__ import annotations

import difflib
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from data_pipeline import command
from data_pipeline.options import Options
from local.installations.postgres import PostgresServer
from pipeline_runs.airflow_runs import Deployment, deployed
from pipeline_runs.effects import Effects
from pipeline_runs.hadoop.script_runner import script_runner
from pipeline_runs.local_services import Aws, started_aws
from pipeline_runs.run_file import Run, read_runs
from pipeline_runs.warehouse import DATABASE, run_statement

_VERSIONS = ("2.11.2", "3.2.1")


def main(definitions: Path, runs_file: Path | None) -> int:
    """0 if every run succeeded and printed what it must, and what was translated parses."""
    runs = read_runs(runs_file) if runs_file else []
    is_fine = True
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pipelines-")))
        postgres = stack.enter_context(PostgresServer(folder / "data"))
        postgres.create_database(DATABASE)
        for version in _VERSIONS:
            _print(f"# Airflow {version}")
            airflow = stack.enter_context(deployed(version, folder / f"airflow_{version}", postgres))
            is_fine &= _parses(airflow, definitions)
            for run in runs:
                with started_aws(folder / f"{version}-{run.dag_id}", postgres.dsn(DATABASE)) as aws:
                    is_fine &= _run(airflow, aws, postgres, run)
            airflow.stop()
    return 0 if is_fine else 1


def _parses(airflow: Deployment, definitions: Path) -> bool:
    """Translates every definition into the DAGs folder, and prints what came of each."""
    outcomes = command.from_files(sorted(definitions.glob("*.json")), Options(airflow.installation.version))
    command.write(outcomes, airflow.dags, "")
    for outcome in outcomes:
        _print(outcome.sentence)
        for problem in outcome.refused.problems if outcome.refused else ():
            _print(f"  {problem}")
    parsed = airflow.parse(airflow.dags)
    for file, error in parsed["errors"].items():
        _print(f"{file} does not parse: {error}")
    _print(f"{len(parsed['dags'])} DAGs parse, {len(parsed['errors'])} files do not\n")
    return not parsed["errors"]


def _run(airflow: Deployment, aws: Aws, postgres: PostgresServer, run: Run) -> bool:
    """Runs one DAG, and prints what it did; whether it succeeded, with the effects that are expected."""
    _print(f"## {run.dag_id}")
    _prepare(aws, postgres, run)
    effects = Effects(aws)
    environment = {**aws.environment(), **_variables(aws, postgres, run)}
    done = airflow.run(run.dag_id, run.date, environment, _given(aws, postgres, run.params))
    states = {task: str(state).rsplit(".", 1)[-1].lower() for task, state in done["tasks"].items()}
    lines = [f"{task}: {state}" for task, state in sorted(states.items())] + effects.lines()
    lines += [f"{query}: {row}" for query in run.queries for row in run_statement(postgres.dsn(DATABASE), query)]
    lines = [line.replace(_address(postgres), "$postgres").replace("\n", "\\n") for line in lines]
    for line in lines:
        _print(line)
    if set(states.values()) != {"success"}:
        log = aws.emr.node.log
        _print(f"FAILED\n{log.read_text()[-4000:] if log.is_file() else ''}")
        return False
    is_as_expected = _is_as_expected(run, lines)
    _print(f"succeeded{', as expected' if run.expected and is_as_expected else ''}\n")
    return is_as_expected


def _is_as_expected(run: Run, lines: Sequence[str]) -> bool:
    """Whether a run did what is expected, if anything is; prints the difference."""
    expected, done = list(run.expected), list(lines)
    if run.in_any_order:
        expected, done = sorted(expected), sorted(done)
    if not expected or expected == done:
        return True
    for line in difflib.unified_diff(expected, done, "expected", "done", lineterm="", n=1):
        _print(line)
    return False


def _prepare(aws: Aws, postgres: PostgresServer, run: Run) -> None:
    """Makes what a run reads."""
    for statement in run.sql:
        run_statement(postgres.dsn(DATABASE), statement)
    for uri, content in _objects(aws, run):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        s3 = aws.client("s3")
        if bucket not in {item["Name"] for item in s3.list_buckets()["Buckets"]}:
            aws.empty_bucket(bucket)
        if key:
            s3.put_object(Bucket=bucket, Key=key, Body=content)
    for table, items in run.dynamodb.items():
        client = aws.client("dynamodb")
        client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for item in items:
            client.put_item(TableName=table, Item=item)
    for name in run.instance_profiles:
        aws.client("iam").create_instance_profile(InstanceProfileName=name)
    for name in run.storage_handlers:
        aws.emr.node.add_storage_handler(name)
    aws.machines.image = run.image
    if run.web:
        aws.serve(run.web)
    aws.calls.clear()


def _objects(aws: Aws, run: Run) -> Iterator[tuple[str, bytes]]:
    for uri, text in run.objects.items():
        yield uri, text.encode()
    for uri in run.jars:
        yield uri, script_runner(aws.emr.node, aws.folder / "jar")


def _variables(aws: Aws, postgres: PostgresServer, run: Run) -> dict[str, str]:
    variables = {f"AIRFLOW_VAR_{run.dag_id}_{name}": value for name, value in run.variables.items()}
    connections = {f"AIRFLOW_CONN_{run.dag_id}_{name}": value for name, value in run.connections.items()}
    return {name.upper(): value for name, value in _given(aws, postgres, variables | connections).items()}


def _given(aws: Aws, postgres: PostgresServer, texts: Mapping[str, str]) -> dict[str, str]:
    """Some texts with what is there in place of its names."""
    ec2 = aws.client("ec2")
    there = {
        "$subnet": ec2.describe_subnets()["Subnets"][0]["SubnetId"],
        "$group": ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"],
        "$image": ec2.register_image(Name="linux")["ImageId"],
        "$postgres": _address(postgres),
    }
    found = dict(texts)
    for name, value in there.items():
        found = {key: text.replace(name, value) for key, text in found.items()}
    return found


def _address(postgres: PostgresServer) -> str:
    return f"127.0.0.1:{postgres.port}"


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    definitions_folder, *runs_files = map(Path, sys.argv[1:])
    sys.exit(main(definitions_folder, runs_files[0] if runs_files else None))
