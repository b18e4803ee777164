"""A local AWS in which a migration takes seconds, and the environments that it is between."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import psycopg2

from chaos.airflow_without_scheduler import AirflowWithoutScheduler
from chaos.no_answer import with_short_timeouts
from chaos.task_runner import TaskRunner
from local.aws.arns import s3_arn
from local.aws.iam.identity import DEFAULT_REGION
from local.installations import metadata_roles
from local.installations.airflow_installation import AirflowInstallation, install
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from local.mwaa.metadata_database import MetadataDatabase
from local.rehearsal import application, source_environment
from migration.airflow import path
from sources import rows_by_sql

SOURCE_VERSION, IMPORT_VERSION, AIRFLOW_3 = "2.10.3", "2.11.2", "3.2.1"
DAGS, RUNS = 10, 6
#: In rows_2_10.sql each fifth DAG is not active: its file is gone.
ACTIVE_DAGS = frozenset(f"source_dag_{number}" for number in range(1, DAGS + 1) if number % 5)
STREAMS, EVENTS = 12, 5
BUCKET = "chaos-dags"
#: Nothing runs in a source without a scheduler, so there is nothing to drain.
QUIET = """
    update task_instance set state = 'success', trigger_id = null where state in ('running', 'queued', 'deferred');
    update dag_run set state = 'success' where state = 'running';
    insert into variable (key, val, description, is_encrypted)
    select 'variable ' || n, 'value', E'line\\nbreak', false from generate_series(1, 5) n;
    insert into connection (conn_id, conn_type, host, login, port, is_encrypted, is_extra_encrypted)
    select 'connection ' || n, 'http', 'host', 'login', 80, false, false from generate_series(1, 5) n
"""
#: The file of a DAG, of which AirflowWithoutScheduler needs the name only.
DAG_FILE = """
from datetime import datetime

from airflow import DAG

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:
    from airflow.operators.empty import EmptyOperator

with DAG("{dag}", start_date=datetime(2024, 1, 1), schedule=None) as dag:
    EmptyOperator(task_id="extract") >> EmptyOperator(task_id="load")
"""


class CopiedDatabase(MetadataDatabase):
    """A metadata database that is a copy of another one."""

    #: Databases by Airflow version.
    templates: ClassVar[dict[str, str]] = {}

    def create(self, installation: AirflowInstallation, environment: Mapping[str, str]) -> None:
        metadata_roles.copy_database(self._server, self.templates[installation.version], self.name)


class EnvironmentWithoutScheduler(Environment):
    airflow_type = AirflowWithoutScheduler
    database_type = CopiedDatabase


@dataclass
class Before:
    """A source as it was before its migration."""

    environment: Environment
    rows: dict[str, Counter[str]]
    paused: dict[str, bool]
    logs: dict[str, list[str]]


class World:
    """The local AWS, deployed once for many migrations."""

    #: What stands behind Amazon MWAA's API, and the SQL that is run in each source.
    environments: ClassVar[type[Environment]] = EnvironmentWithoutScheduler
    statements: ClassVar[tuple[str, ...]] = (QUIET,)
    #: The versions that a target can be created at.
    targets: ClassVar[tuple[str, ...]] = (IMPORT_VERSION,)
    #: Seconds in which a migration must have ended; the longest waits of its input are shorter.
    patience: ClassVar[float] = 420.0

    @classmethod
    def serve(cls, installation: AirflowInstallation, template: MetadataDatabase, marker: str) -> None:
        """Starts what environments of a version share."""
        AirflowWithoutScheduler.runners[installation.version] = TaskRunner(installation, template.url, marker)

    def __init__(self, aws: AwsWithMwaa) -> None:
        self.aws = aws
        self._role = source_environment.create_execution_role(aws, BUCKET)
        s3 = aws.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": aws.region})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.deploy()

    def deploy(self) -> None:
        """Deploys the application; its functions have short time-outs, because nothing takes long here."""
        for function in application.deploy(self.aws).functions.values():
            self.aws.functions.register(with_short_timeouts(function))

    @property
    def exchange(self) -> str:
        return self.aws.deployed.resources["ExchangeBucket"]

    def make_source(self, name: str) -> Environment:
        """Makes a source with DAG files, history and logs."""
        s3, logs = self.aws.client("s3"), self.aws.client("logs")
        for dag in sorted(ACTIVE_DAGS):
            s3.put_object(Bucket=BUCKET, Key=f"{name}/dags/{dag}.py", Body=DAG_FILE.format(dag=dag).encode())
        self.aws.client("mwaa").create_environment(
            Name=name,
            AirflowVersion=SOURCE_VERSION,
            ExecutionRoleArn=self._role,
            SourceBucketArn=s3_arn(self.aws.region, BUCKET),
            DagS3Path=f"{name}/dags",
            NetworkConfiguration={"SubnetIds": ["subnet-0a", "subnet-0b"], "SecurityGroupIds": ["sg-0a"]},
            WebserverAccessMode="PUBLIC_ONLY",
            # CleanUp waits as long as the processes of our tasks may take to end.
            AirflowConfigurationOptions={"core.killed_task_cleanup_time": "1", "scheduler.job_heartbeat_sec": "1"},
            LoggingConfiguration={"TaskLogs": {"Enabled": True, "LogLevel": "INFO"}},
        )
        environment = self.aws.mwaa.environment(name)
        while environment.status == "CREATING":
            time.sleep(0.05)
        now = int(time.time() * 1000)
        for stream in range(STREAMS):
            place = {"logGroupName": f"airflow-{name}-Task", "logStreamName": f"dag_id=source_dag_1/{stream}.log"}
            logs.create_log_stream(**place)
            events = [{"timestamp": now - 60_000 + at, "message": f"{stream} line {at}"} for at in range(EVENTS)]
            logs.put_log_events(**place, logEvents=events)
        return environment

    def logs(self, name: str) -> dict[str, list[str]]:
        """The messages in each stream of an environment's task logs."""
        logs, group = self.aws.client("logs"), f"airflow-{name}-Task"
        found = {}
        for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=group):
            for stream in page["logStreams"]:
                place = {"logGroupName": group, "logStreamName": stream["logStreamName"]}
                events = logs.get_log_events(**place, startFromHead=True)["events"]
                found[stream["logStreamName"]] = [str(event["message"]) for event in events]
        return found

    def delete(self, *names: str) -> None:
        """Deletes environments, so that the next migration has the machine to itself."""
        mwaa = self.aws.client("mwaa")
        there = set(names) & set(mwaa.list_environments()["Environments"])
        environments = [self.aws.mwaa.environment(name) for name in there]
        for environment in environments:
            if environment.status != "DELETING":
                mwaa.delete_environment(Name=environment.name)
        for environment in environments:
            environment.gone.wait(30)


@contextmanager
def world(kind: type[World] = World, region: str = DEFAULT_REGION) -> Iterator[World]:
    """A world of its own; ends everything that it has started."""
    aws = AwsWithMwaa(region=region, environments=kind.environments)
    with aws:
        try:
            # An update is a part of the migration; installing what it needs is not.
            install(AIRFLOW_3)
            for version in (SOURCE_VERSION, *kind.targets):
                installation = install(version)
                template = MetadataDatabase(aws.postgres, f"template-{version}")
                template.create(installation, installation.environment(aws.folder / version, template.url))
                if version == SOURCE_VERSION:
                    _fill(template.dsn, installation, kind.statements)
                CopiedDatabase.templates[version] = template.name
                kind.serve(installation, template, aws.name)
            yield kind(aws)
        finally:
            for runner in AirflowWithoutScheduler.runners.values():
                runner.stop()
            AirflowWithoutScheduler.runners.clear()


def _fill(dsn: str, installation: AirflowInstallation, statements: tuple[str, ...]) -> None:
    rows = rows_by_sql.statements(installation.release)
    _execute(dsn, rows, {"world": "source", "dags": DAGS, "runs": RUNS})
    for statement in statements:
        _execute(dsn, statement)


def _execute(dsn: str, statements: str, parameters: dict[str, Any] | None = None) -> None:
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statements, parameters)


def document(source: str, target: str, way: str | None) -> dict[str, Any]:
    """The input of a migration between two environments of a world: to Airflow 3 by a way, or (None) within 2.x."""
    return {
        "source": {"environment": source},
        "target": {"environment": target, "airflowVersion": IMPORT_VERSION if way is None else AIRFLOW_3},
        "options": {
            "pollSeconds": 1,
            # A real scheduler leaves half a minute between two tries of a task, of which a direct import may need four.
            "dagRunTimeoutSeconds": 420 if way == path.DIRECT else 120,
            "parseTimeoutSeconds": 120,
            **({} if way is None else {"path": way}),
        },
    }
