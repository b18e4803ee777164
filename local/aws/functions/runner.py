"""Runs Lambda functions from their built packages: a process for each concurrent invocation, kept warm afterwards.

AWS's own runtime client (awslambdaric) runs the handler. The emulator of aws-sam-cli is not used: Step Functions needs
`FunctionError` to tell a failure from a result, and that emulator has not been seen to give it.
"""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Response

from local.aws.functions.function import Function
from local.aws.functions.invocation import Invocation
from local.aws.functions.logs import FunctionLogs
from local.aws.functions.process import MAX_PAYLOAD, FunctionProcess
from local.aws.functions.warm_runtimes import WarmRuntimes
from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from local.aws.responses import AwsError

#: Processes at once over all functions; further invocations wait. Lambda's own quota would not fit on one machine.
MAX_PROCESSES = 12
#: Lambda tries a failed asynchronous invocation twice more. It waits minutes in between, these are seconds.
_ASYNC_RETRY_DELAYS = (1.0, 2.0)
#: The variable with the state in which functions in a VPC begin: Inactive, as after weeks without an invocation.
_STATE = "LAMBDA_STATE"
#: How many invocations find such a function Pending, once another has woken it.
_PENDING = 1


class LambdaRunner:
    """Answers Lambda's Invoke for the functions that are registered."""

    def __init__(
        self,
        name: str,
        region: str,
        environment_of: Callable[[Function], dict[str, str]],
        logs: Callable[[Function], FunctionLogs],
    ) -> None:
        """
        Args:
            name: the local AWS's.
            environment_of: credentials, endpoint and certificates for a function's processes.
            logs: where a function's output goes.
        """
        self._region = region
        self._environment_of = environment_of
        self._logs_of = logs
        self._functions: dict[str, Function] = {}
        self._idle: dict[str, list[FunctionProcess]] = {}
        self._all: set[FunctionProcess] = set()
        self._busy: dict[str, int] = {}
        self._inactive: set[str] = set()
        self._pending: dict[str, int] = {}
        self._lock = threading.Lock()
        self._runtimes = WarmRuntimes(name)
        self._slots = threading.BoundedSemaphore(MAX_PROCESSES)
        # X-Ray's SDK sends traces to a daemon by UDP; a bound socket that nobody reads drops them quietly.
        self._trace_sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._trace_sink.bind(("127.0.0.1", 0))

    def register(self, function: Function) -> None:
        """Adds a function; one of the same name is replaced, and its idle processes end."""
        with self._lock:
            self._functions[function.name] = function
            self._inactive.discard(function.name)
            self._pending.pop(function.name, None)
            if function.in_vpc and os.environ.get(_STATE) == "Inactive":
                self._inactive.add(function.name)
            stale = self._idle.pop(function.name, [])
        for process in stale:
            self._discard(process)

    def functions(self) -> list[Function]:
        return list(self._functions.values())

    def handles(self, request: AwsRequest) -> bool:
        return request.service == "lambda" and request.operation.name == "Invoke"

    def answer(self, request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        name = str(request.parameters["FunctionName"])
        function = self._find(name)
        payload = request.parameters.get("Payload") or b"{}"
        event = payload if isinstance(payload, bytes) else str(payload).encode()
        if len(event) > MAX_PAYLOAD:
            raise AwsError(
                "RequestTooLargeException", f"Request must be smaller than {MAX_PAYLOAD} bytes for {name}", 413
            )
        kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
        if kind == "DryRun":
            return Response(b"", 204)
        if kind == "Event":
            threading.Thread(target=self._invoke_with_retries, args=(function, event), daemon=True).start()
            return Response(b"", 202)
        invocation, output = self.invoke(function, event)
        headers = {"Content-Type": "application/json", "X-Amz-Executed-Version": "$LATEST"}
        headers["x-amzn-RequestId"] = invocation.request_id
        if invocation.failed:
            headers["X-Amz-Function-Error"] = "Unhandled"
        if request.headers.get("x-amz-log-type") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode(output.encode()[-4096:]).decode()
        return Response(invocation.payload, 200, headers)

    def invoke(self, function: Function, event: bytes) -> tuple[Invocation, str]:
        """Runs an event to its end; returns its invocation, and what the function printed meanwhile.

        Raises:
            AwsError: TooManyRequestsException, when the function's reserved concurrency is used up;
                ResourceNotReadyException, once for a function that is inactive, and then ResourceConflictException.
        """
        with self._lock:
            if function.name in self._inactive:
                self._inactive.remove(function.name)
                self._pending[function.name] = _PENDING
                raise AwsError(
                    "ResourceNotReadyException",
                    "The function is inactive and its VPC connection is no longer available. Wait for the VPC "
                    "connection to reestablish and try again.",
                    502,
                )
            if self._pending.get(function.name):
                self._pending[function.name] -= 1
                raise AwsError(
                    "ResourceConflictException",
                    "The operation cannot be performed at this time. The function is currently in the following "
                    "state: Pending",
                    409,
                )
            busy = self._busy.get(function.name, 0)
            if function.reserved_concurrency is not None and busy >= function.reserved_concurrency:
                raise AwsError(
                    "TooManyRequestsException",
                    f"Rate Exceeded: {function.name} has used up its reserved concurrency",
                    429,
                    Reason="ReservedFunctionConcurrentInvocationLimitExceeded",
                )
            self._busy[function.name] = busy + 1
        try:
            with self._slots:
                process = self._take(function)
                invocation, output = process.run(event)
                if process.is_alive:
                    with self._lock:
                        self._idle.setdefault(function.name, []).append(process)
                else:
                    self._discard(process)
                return invocation, output
        finally:
            with self._lock:
                self._busy[function.name] -= 1

    def kill(self, name: str) -> None:
        """Kills the processes of a function that are working on an event, as when a machine is lost."""
        with self._lock:
            idle = set(self._idle.get(name, []))
        for process in list(self._all):
            if process.name == name and process not in idle:
                process.kill()

    def stop(self) -> None:
        """Ends every process."""
        for process in list(self._all):
            self._discard(process)
        self._runtimes.stop()
        self._trace_sink.close()

    def _invoke_with_retries(self, function: Function, event: bytes) -> None:
        with self._lock:
            # Lambda keeps the event until the function is ready.
            self._inactive.discard(function.name)
        for delay in (*_ASYNC_RETRY_DELAYS, None):
            invocation, _ = self.invoke(function, event)
            if not invocation.failed or delay is None:
                return
            time.sleep(delay)

    def _find(self, name_or_arn: str) -> Function:
        name = name_or_arn.split(":function:")[-1].split(":")[0]
        function = self._functions.get(name)
        if function is None:
            raise AwsError("ResourceNotFoundException", f"Function not found: {name_or_arn}", 404, Type="User")
        return function

    def _take(self, function: Function) -> FunctionProcess:
        """An idle process of the function that still lives, or a new one."""
        with self._lock:
            idle = self._idle.get(function.name, [])
            while idle:
                process = idle.pop()
                if process.is_alive:
                    return process
        process = FunctionProcess(
            function,
            self._runtimes.of(function),
            self._region,
            self._environment_of(function),
            self._trace_sink.getsockname()[1],
            self._logs_of(function),
        )
        self._all.add(process)
        return process

    def _discard(self, process: FunctionProcess) -> None:
        process.stop()
        self._all.discard(process)
