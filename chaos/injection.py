"""Strikes one migration with the faults of its seed: where calls, invocations, commands and tasks are counted."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
from werkzeug.wrappers import Response

from chaos import import_steps, task_starts
from chaos.faults import OF_UPDATES, STATUSES, Fault
from chaos.no_answer import NoAnswer
from chaos.world import BUCKET
from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from local.aws.responses import AwsError, json_response
from local.mwaa.airflow_processes import AirflowProcesses
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment

# These are answered without carrying the call out.
_REFUSALS = ("AWS call throttled", "AWS call answered 500", "AWS call answered 503")
_NOT_UPDATED = {
    "LastUpdate": {
        "Status": "FAILED",
        "Error": {"ErrorCode": "INTERNAL_ERROR", "ErrorMessage": "a fault of the harness"},
    }
}
_QUERIES = {"connection lost in COPY": "copy %", "connection lost in the merge": 'insert into "public"%'}


class Injection:
    """Injects the faults into one migration, from its creation to `stop`."""

    def __init__(self, aws: AwsWithMwaa, faults: list[Fault], source: Environment, target: str) -> None:
        self.faults = faults
        #: Set to the execution, so that it can be aborted.
        self.execution: str | None = None
        #: Whether the execution that was aborted is to be redriven, and not started again.
        self.redrives = False
        self.counts = dict.fromkeys(
            ("calls", "invocations", "commands", "tokens", "polls", "tasks", "export", "import"), 0
        )
        self._aws = aws
        self._source = source
        self._target = target
        #: The number of polls before UpdateEnvironment; None until then, and where it is carried out.
        self._before_update: int | None = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._functions = {function.role_arn: function.name for function in aws.deployed.functions.values()}
        self._airflows = source.settings["ExecutionRoleArn"]
        aws.endpoint.interceptor = self._call
        source.cli.interceptor = self._command
        task_starts.listeners.append(self._task)
        self._watcher = threading.Thread(target=self._watch_database, args=(aws.postgres.dsn("postgres"),), daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        self._stopped.set()
        self._aws.endpoint.interceptor = None
        task_starts.listeners.remove(self._task)
        self._watcher.join()

    def _strike(self, kind: str, place: int) -> Fault | None:
        """Strikes with the fault of a kind if this is its place, or after it: a place can be passed over."""
        for fault in self.faults:
            if fault.kind == kind and fault.place <= place and fault.struck < fault.times:
                fault.struck += 1
                return fault
        return None

    # Calls of AWS

    def _call(self, request: AwsRequest, principal: Principal, carry_out: Callable[[], Response]) -> Response:
        if request.service == "lambda" and request.operation.name == "Invoke":
            return self._invocation(carry_out)
        function = self._functions.get(principal.role_arn)
        # Amazon MWAA copies the DAG folder, Airflow writes task logs and Lambda the functions' logs, all the time;
        # these calls are no part of a migration.
        theirs = function is None and (request.parameters.get("Bucket") == BUCKET or request.service == "logs")
        theirs |= str(request.parameters.get("logGroupName")).startswith("/aws/lambda/")
        if principal.is_administrator or theirs:
            return carry_out()
        with self._lock:
            self.counts["calls"] += 1
            place = self.counts["calls"]
            fault = next((fault for kind in _REFUSALS if (fault := self._strike(kind, place))), None)
        if fault is not None:
            raise _error(fault.kind, request)
        # Step Functions has time-outs of its own.
        waits = function is not None or principal.role_arn == self._airflows
        for kind in ("AWS call hangs", "AWS connection closed without an answer"):
            if waits and self._strike(kind, place):
                return NoAnswer(self._stopped, hanging=kind == "AWS call hangs")
        if function is not None and self._strike("function killed before a call", place):
            self._aws.functions.kill(function)
            raise AwsError("InternalError", "the caller is gone", 500)
        answer = self._target_answers(request) or carry_out()
        if function is not None and self._strike("function killed after a call", place):
            self._aws.functions.kill(function)
        if request.operation.name == "CreateCliToken":
            self._count_token(request.parameters["Name"])
        if waits and self._strike("AWS call carried out, then hangs", place):
            return NoAnswer(self._stopped, hanging=True)
        if self._strike("AWS call carried out, its answer lost", place):
            raise AwsError("InternalError", "We encountered an internal error. Please try again.", 500)
        return answer

    def _target_answers(self, request: AwsRequest) -> Response | None:
        """Amazon MWAA's answer about the target, if a fault changes it."""
        if request.parameters.get("Name") != self._target:
            return None
        if request.operation.name == "UpdateEnvironment" and any(fault.kind in OF_UPDATES for fault in self.faults):
            self._before_update = self.counts["polls"]
            return json_response({"Arn": self._aws.mwaa.environment(self._target).arn})
        if request.operation.name != "GetEnvironment":
            return None
        description = self._aws.mwaa.environment(self._target).description()
        with self._lock:
            self.counts["polls"] += 1
            changed = self._status(self.counts["polls"])
        return json_response({"Environment": description | changed}) if changed else None

    def _status(self, poll: int) -> dict[str, Any]:
        """The members of the target's description that faults change at its n-th poll."""
        for fault in self.faults:
            status, _, before = STATUSES.get(fault.kind, ("", 0, None))
            place = poll - 1
            if fault.kind in OF_UPDATES:
                if self._before_update is None:
                    continue
                place -= self._before_update
            if status and self._strike(fault.kind, place):
                return {"Status": status} | (_NOT_UPDATED if status == "UPDATE_FAILED" else {})
            if before and not fault.struck:
                return {"Status": before}
            if fault.kind in OF_UPDATES:
                return _NOT_UPDATED
        return {}

    # Invocations of functions

    def _invocation(self, carry_out: Callable[[], Response]) -> Response:
        with self._lock:
            self.counts["invocations"] += 1
            place = self.counts["invocations"]
        for kind in ("execution aborted, started again", "execution aborted, redriven"):
            if self.execution is not None and self._strike(kind, place):
                self.redrives = kind == "execution aborted, redriven"
                self._aws.client("stepfunctions").stop_execution(executionArn=self.execution, cause="chaos")
        answer = carry_out()
        if self._strike("function run twice for one event", place):
            answer = carry_out()
        if self._strike("function timed out after its work", place):
            body = {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 900.00 seconds"}
            return Response(json.dumps(body), headers={"X-Amz-Function-Error": "Unhandled"})
        return answer

    # Commands of a CLI

    def _command(self, command: str, carry_out: Callable[[], Response]) -> Response:
        with self._lock:
            self.counts["commands"] += 1
            place = self.counts["commands"]
        if self._strike("CLI answers 403", place):
            return Response("Forbidden", 403)
        if self._strike("CLI answers 502", place):
            return Response("Bad Gateway", 502)
        if self._strike("CLI hangs", place):
            return NoAnswer(self._stopped, hanging=True)
        answer = carry_out()
        if self._strike("CLI runs the command, then hangs", place):
            return NoAnswer(self._stopped, hanging=True)
        if self._strike("CLI runs the command, answers 502", place):
            return Response("Bad Gateway", 502)
        if self._strike("CLI answers truncated base64", place):
            content = json.loads(answer.get_data())
            content["stdout"] = content["stdout"][:-3] or "x"
            return Response(json.dumps(content), answer.status_code, {"Content-Type": "application/json"})
        return answer

    def _count_token(self, environment: str) -> None:
        with self._lock:
            self.counts["tokens"] += 1
            place = self.counts["tokens"]
        if self._strike("CLI token expired in flight", place):
            self._aws.mwaa.environment(environment).cli.expire_tokens()

    def watch_target(self, environment: Environment) -> None:
        """Counts the target's commands too, from its creation on."""
        environment.cli.interceptor = self._command

    # Tasks and their database

    def _task(self, pid: int, airflow: AirflowProcesses) -> None:
        where = "export" if airflow is self._source.airflow else "import"
        with self._lock:
            self.counts["tasks"] += 1
            self.counts[where] += 1
            place, place_there = self.counts["tasks"], self.counts[where]
        if fault := self._strike("task killed", place):
            threading.Timer(fault.delay, _kill, args=(pid,)).start()
        if fault := self._strike(f"scheduler killed during the {where}", place_there):
            threading.Timer(fault.delay, airflow.kill, args=("scheduler",)).start()

    def _watch_database(self, dsn: str) -> None:
        """Ends the session of a wanted statement as soon as it is seen."""
        wanted = {fault.kind: fault for fault in self.faults if fault.kind in _QUERIES}
        steps = [fault for fault in self.faults if fault.kind in import_steps.STEPS]
        if not wanted and not steps:
            return
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while (wanted or steps) and not self._stopped.wait(0.005):
                for fault in list(steps):
                    if import_steps.is_reached(cursor, fault.kind) and import_steps.kill_work(self._aws.name):
                        fault.struck = 1
                        steps.remove(fault)
                for kind, fault in list(wanted.items()):
                    cursor.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity where state = 'active' "
                        "and application_name like %s and query ilike %s limit 1",
                        ("mwaa_migrator%", _QUERIES[kind]),
                    )
                    if cursor.fetchone():
                        fault.struck = 1
                        del wanted[kind]


def _error(kind: str, request: AwsRequest) -> AwsError:
    if kind == "AWS call answered 500":
        name = "InternalError" if request.service == "s3" else "InternalServerException"
        return AwsError(name, "We encountered an internal error. Please try again.", 500)
    if request.service == "s3":
        return AwsError("SlowDown", "Please reduce your request rate.", 503)
    if kind == "AWS call answered 503":
        return AwsError("ServiceUnavailableException", "Service Unavailable", 503)
    return AwsError("ThrottlingException", "Rate exceeded", 400)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
