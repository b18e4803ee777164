"""A local AWS with light environments, and how rehearsals in it are started, stopped, swept and listed."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any, NamedTuple

from local.aws.functions.function import Function
from local.aws.functions.invocation import Invocation
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment_metrics import publish
from local.rehearsal.inventory import inventory
from tools import state_machines

BUCKET = "the-dags"
#: So many a source tells that it has.
DAGS = 60
ROLE = "execution"
# Sources are called so, in 24 characters at most, and what a rehearsal makes has that in its name.
_SOURCE = re.compile(r"src-[a-z]-[a-z]+")
_ENDS_WITHIN = 240.0

Event = dict[str, Any]


def task_states(machine: str) -> dict[str, str]:
    """The states of a state machine in which a function works, those inside a map too, with the function's name."""

    def functions_of(states: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for name, state in states.items():
            if state["Type"] == "Task" and state["Resource"].endswith("lambda:invoke"):
                yield name, state["Arguments"]["FunctionName"].removeprefix("${").removesuffix("FunctionArn}")
            yield from functions_of(state.get("ItemProcessor", {}).get("States", {}))

    return dict(functions_of(state_machines.definition(machine)["States"]))


class Intervention(NamedTuple):
    """What happens when a function has done its work in a state, before Step Functions is told.

    `run`: in a state for runs of our DAGs, the one that it is about; empty: any.
    """

    state: str
    act: Callable[[], None]
    run: str = ""


class Stage:
    """Everything that the tests of a module share.

    Attributes:
        interventions: by source; each happens once.
    """

    def __init__(self, aws: AwsWithMwaa) -> None:
        self.aws = aws
        self.interventions: dict[str, Intervention] = {}
        self.states = aws.client("stepfunctions")
        self._machines = aws.deployed.state_machines
        self._functions = {function.name: name for name, function in aws.deployed.functions.items()}
        self._states = {**task_states("rehearse"), **task_states("migrate"), **task_states("copy_logs")}
        self._sweeps: Queue[Event] = Queue()
        self._invoke = aws.functions.invoke
        aws.functions.invoke = self._invoke_and_intervene  # type: ignore[method-assign]
        self._prepare()

    # ---------------------------------------------------------------------------------------------------- sources

    def make_source(self, name: str) -> None:
        """An environment with a DAG and a log."""
        s3, logs = self.aws.client("s3"), self.aws.client("logs")
        s3.put_object(Bucket=BUCKET, Key=f"{name}/dags/users_dag.py", Body=b"# a DAG")
        self.aws.client("mwaa").create_environment(
            Name=name,
            AirflowVersion="2.10.3",
            EnvironmentClass="mw1.large",
            ExecutionRoleArn=f"arn:aws:iam::{self.aws.identities.account}:role/{ROLE}",
            SourceBucketArn=f"arn:aws:s3:::{BUCKET}",
            DagS3Path=f"{name}/dags",
            NetworkConfiguration={"SubnetIds": ["subnet-0a", "subnet-0b"], "SecurityGroupIds": ["sg-0a"]},
        )
        while self.aws.mwaa.environment(name).status != "AVAILABLE":
            time.sleep(0.02)
        publish(self.aws.client("cloudwatch"), name, DAGS, is_alive=True)
        stream = {"logGroupName": f"airflow-{name}-Task", "logStreamName": "dag_id=users_dag/run_id=1/attempt=1.log"}
        logs.create_log_stream(**stream)
        logs.put_log_events(**stream, logEvents=[{"timestamp": int(time.time() * 1000), "message": "done"}])

    def _prepare(self) -> None:
        s3, iam = self.aws.client("s3"), self.aws.client("iam")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": self.aws.region})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": ["airflow.amazonaws.com", "airflow-env.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
        allow = {
            "Effect": "Allow",
            "Action": ["s3:GetObject*", "s3:List*"],
            "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
        }
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(_policy(trust)))
        iam.put_role_policy(RoleName=ROLE, PolicyName="dags", PolicyDocument=json.dumps(_policy(allow)))

    # ------------------------------------------------------------------------------------------------- executions

    def document(self, source: str, path: str = "through-2.11") -> Event:
        return {
            "source": {"environment": source},
            "target": {"airflowVersion": "3.2.1"},
            "options": {"pollSeconds": 1, "path": path},
        }

    def start(self, source: str, path: str = "through-2.11") -> str:
        """Starts a rehearsal; the execution's ARN."""
        machine = self._machines["RehearseStateMachine"]
        started = self.states.start_execution(stateMachineArn=machine, input=json.dumps(self.document(source, path)))
        return str(started["executionArn"])

    def rehearsals(self) -> set[str]:
        """The executions of rehearsals that there are."""
        machine = self._machines["RehearseStateMachine"]
        pages = self.states.get_paginator("list_executions").paginate(stateMachineArn=machine)
        return {execution["executionArn"] for page in pages for execution in page["executions"]}

    def ended(self, execution: str) -> Event:
        """The description of an execution that has ended."""
        deadline = time.monotonic() + _ENDS_WITHIN
        while (told := self.states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"still runs: {told}"
            time.sleep(1)
        ended: Event = told
        return ended

    def migration_of(self, rehearsal: str) -> str:
        """The execution of the migrate state machine that a rehearsal (its ARN) has."""
        return f"{self._machines['MigrateStateMachine'].replace(':stateMachine:', ':execution:')}:{_name(rehearsal)}"

    def stop_migration(self, execution: str) -> None:
        """Stops an execution of the migrate state machine while one of its functions works.

        A copy of logs is taken along, as Step Functions does with what `.sync` has started.
        """
        copies = self.states.list_executions(stateMachineArn=self._machines["CopyLogsStateMachine"])["executions"]
        started = [
            copy["executionArn"]
            for copy in copies
            if copy["status"] == "RUNNING"
            and execution in self.states.describe_execution(executionArn=copy["executionArn"])["input"]
        ]
        for arn in (execution, *started):
            # From a thread of its own, because the local AWS waits for the function before it has stopped.
            threading.Thread(target=self.states.stop_execution, kwargs={"executionArn": arn}, daemon=True).start()
        time.sleep(0.5)

    def stop_rehearsal(self, execution: str) -> None:
        """Stops an execution of the rehearse state machine, but not the migration in it."""
        self.states.stop_execution(executionArn=execution)
        assert self.ended(execution)["status"] == "ABORTED"

    def sweep(self) -> None:
        """Sweeps as the stack's own schedule does, but rehearsals of any age, until there is nothing more to do."""
        scheduler = self.aws.client("scheduler")
        target = scheduler.get_schedule(Name="ScheduledSweep")["Target"] | {"Input": json.dumps({"olderThanHours": 0})}
        for _ in range(20):
            scheduler.create_schedule(
                Name=f"sweep-{uuid.uuid4()}",
                ScheduleExpression="at(2026-01-01T00:00:00)",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target=target,
            )
            if self._sweeps.get(timeout=300) == {"swept": [], "waiting": []}:
                return
        raise AssertionError("there is no end to sweeping")

    # -------------------------------------------------------------------------------------------------- listing

    def listed(self) -> set[str]:
        return inventory(self.aws)

    # --------------------------------------------------------------------------------------------- interventions

    def _invoke_and_intervene(self, function: Function, event: bytes) -> tuple[Invocation, str]:
        answered = self._invoke(function, event)
        name, told = self._functions[function.name].removesuffix("Function"), json.loads(event)
        if "olderThanHours" in told:
            self._sweeps.put(json.loads(answered[0].payload))
        found = _SOURCE.search(event.decode())
        intervention = self.interventions.get(found[0]) if found is not None else None
        if found is None or intervention is None or intervention.run not in ("", told.get("dag")):
            return answered
        if self._is_in(intervention.state, name, told):
            del self.interventions[found[0]]
            intervention.act()
        return answered

    def _is_in(self, state: str, function: str, event: Event) -> bool:
        """Whether a function was called in a state; one that works in several is asked for the execution's history."""
        states = [name for name, its in self._states.items() if its == function]
        if state not in states or len(states) == 1:
            return state in states
        machine = self._machines["MigrateStateMachine"].replace(":stateMachine:", ":execution:")
        history = self.states.get_execution_history(
            executionArn=f"{machine}:{event['execution']}", maxResults=1000, includeExecutionData=False
        )
        entered = [item for item in history["events"] if "stateEnteredEventDetails" in item]
        return bool(max(entered, key=lambda item: item["id"])["stateEnteredEventDetails"]["name"] == state)


def _name(execution: str) -> str:
    return execution.rsplit(":", 1)[-1]


def _policy(statement: Event) -> Event:
    return {"Version": "2012-10-17", "Statement": [statement]}
