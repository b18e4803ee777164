"""Runs Lambda functions from their built packages: a process per concurrent invocation, kept warm between them.

AWS's own runtime client (awslambdaric) runs the handler and talks to the runtime API served here. The emulator that
aws-sam-cli carries is not used: Step Functions needs `FunctionError` to tell a failure from a result, and the emulator
is not known here to give it.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import queue
import resource
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

from werkzeug.wrappers import Response

from local.aws.function_logs import FunctionLogs
from local.aws.permissions import Principal
from local.aws.request import AwsRequest
from local.aws.responses import AwsError
from local.installations import lambda_runtime

logger = logging.getLogger(__name__)

#: Lambda's quota for the payload of a synchronous invocation and of its answer, in bytes.
MAX_PAYLOAD = 6 * 1024 * 1024
#: Processes at once over all functions; further invocations wait. Lambda's own quota would not fit on one machine.
MAX_PROCESSES = 12
#: Lambda tries a failed asynchronous invocation twice more. It waits minutes in between, which a rehearsal does not.
_ASYNC_RETRY_DELAYS = (1.0, 2.0)


@dataclass(frozen=True)
class Function:
    """A function as the template has it.

    Attributes:
        package: the folder that `sam build` made for it.
        layers: the folders of its layers, each with what Lambda has under /opt of it.
        timeout: seconds.
        memory: megabytes.
        variables: the environment variables of the template, resolved.
    """

    name: str
    arn: str
    handler: str
    runtime: str
    package: Path
    role_arn: str
    timeout: int = 3
    memory: int = 128
    variables: dict[str, str] = field(default_factory=dict)
    log_group: str = ""
    reserved_concurrency: int | None = None
    layers: tuple[Path, ...] = ()


@dataclass
class Invocation:
    """One event on its way through a process; `answer` is set when the process has answered, died or been stopped."""

    event: bytes
    request_id: str
    arn: str
    deadline: float
    trace: str
    payload: bytes = b""
    failed: bool = False
    answered: threading.Event = field(default_factory=threading.Event)

    def answer(self, payload: bytes, failed: bool) -> None:
        if not self.answered.is_set():
            self.payload, self.failed = payload, failed
            self.answered.set()


class LambdaRunner:
    """Answers Lambda's Invoke; see Function for what it needs to know of each one."""

    def __init__(
        self,
        region: str,
        environment_of: Callable[[Function], dict[str, str]],
        logs: Callable[[Function], FunctionLogs],
    ) -> None:
        """
        Args:
            environment_of: credentials, endpoint and certificates for a function's processes.
            logs: where a function's output goes.
        """
        self._region = region
        self._environment_of = environment_of
        self._logs_of = logs
        self._functions: dict[str, Function] = {}
        self._idle: dict[str, list[_Process]] = {}
        self._all: set[_Process] = set()
        self._busy: dict[str, int] = {}
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(MAX_PROCESSES)
        # X-Ray's SDK sends traces to a daemon by UDP; a bound socket that nobody reads drops them quietly.
        self._trace_sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._trace_sink.bind(("127.0.0.1", 0))

    def register(self, function: Function) -> None:
        """Makes a function known; one of the same name is replaced, and its processes end."""
        with self._lock:
            self._functions[function.name] = function
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
            threading.Thread(target=self._invoke_later, args=(function, event), daemon=True).start()
            return Response(b"", 202)
        invocation, tail = self.invoke(function, event)
        headers = {"Content-Type": "application/json", "X-Amz-Executed-Version": "$LATEST"}
        headers["x-amzn-RequestId"] = invocation.request_id
        if invocation.failed:
            headers["X-Amz-Function-Error"] = "Unhandled"
        if request.headers.get("x-amz-log-type") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode(tail.encode()[-4096:]).decode()
        return Response(invocation.payload, 200, headers)

    def invoke(self, function: Function, event: bytes) -> tuple[Invocation, str]:
        """Runs one event to its end; returns it with what the function printed meanwhile.

        Raises:
            AwsError: TooManyRequestsException, when the function's reserved concurrency is used up.
        """
        with self._lock:
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
                if process.alive:
                    with self._lock:
                        self._idle.setdefault(function.name, []).append(process)
                else:
                    self._discard(process)
                return invocation, output
        finally:
            with self._lock:
                self._busy[function.name] -= 1

    def kill(self, name: str) -> None:
        """Kills the processes of a function that work on an event, as when a machine is lost."""
        with self._lock:
            idle = set(self._idle.get(name, []))
        for process in list(self._all):
            if process.name == name and process not in idle:
                process.kill()

    def stop(self) -> None:
        """Ends every process."""
        for process in list(self._all):
            self._discard(process)
        self._trace_sink.close()

    def _invoke_later(self, function: Function, event: bytes) -> None:
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

    def _take(self, function: Function) -> _Process:
        with self._lock:
            idle = self._idle.get(function.name, [])
            while idle:
                process = idle.pop()
                if process.alive:
                    return process
        process = _Process(
            function,
            self._region,
            self._environment_of(function),
            self._trace_sink.getsockname()[1],
            self._logs_of(function),
        )
        self._all.add(process)
        return process

    def _discard(self, process: _Process) -> None:
        process.stop()
        self._all.discard(process)


class _Process:
    """A process of one function with the runtime API that it asks for events."""

    def __init__(
        self, function: Function, region: str, environment: dict[str, str], trace_port: int, logs: FunctionLogs
    ) -> None:
        self._function = function
        self._logs = logs
        self._events: queue.Queue[Invocation | None] = queue.Queue()
        self._current: Invocation | None = None
        self._init_error: bytes | None = None
        self._output: list[str] = []
        #: Set when the process asks for its first event, or has died.
        self._ready = threading.Event()
        self._server = _RuntimeApi(("127.0.0.1", 0), _handler_for(self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        started = datetime.now(UTC)
        self._stream = f"{started:%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        self._process = subprocess.Popen(
            [str(lambda_runtime.python_of(function.runtime)), "-m", "awslambdaric", function.handler],
            cwd=function.package,
            env=self._variables(region, environment, trace_port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if hasattr(resource, "prlimit"):  # Linux; elsewhere a function's memory has no limit
            limit = function.memory * 1024 * 1024
            resource.prlimit(self._process.pid, resource.RLIMIT_DATA, (limit, limit))
        threading.Thread(target=self._read_output, args=(self._process.stdout,), daemon=True).start()
        threading.Thread(target=self._wait, daemon=True).start()

    @property
    def name(self) -> str:
        return self._function.name

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        if self.alive:
            os.killpg(self._process.pid, signal.SIGKILL)

    def run(self, event: bytes) -> tuple[Invocation, str]:
        function = self._function
        request_id = str(uuid.uuid4())
        trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Parent={uuid.uuid4().hex[:16]};Sampled=1"
        self._output = []
        # Starting the process has ten seconds of its own; the function's time-out begins after that, as on Lambda.
        self._ready.wait(_INIT_SECONDS)
        self._log(f"START RequestId: {request_id} Version: $LATEST")
        started = time.monotonic()
        invocation = Invocation(event, request_id, function.arn, time.time() + function.timeout, trace)
        self._current = invocation
        self._events.put(invocation)
        if not self.alive:  # it died before it asked for this event, so nobody else will answer
            self._answer_for_dead()
        if not invocation.answered.wait(function.timeout):
            message = f"Task timed out after {function.timeout}.00 seconds"
            invocation.answer(_error("Sandbox.Timedout", f"RequestId: {request_id} Error: {message}"), True)
            self._log(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z} {request_id} {message}")
            self.stop()
        self._current = None
        duration = (time.monotonic() - started) * 1000
        self._log(f"END RequestId: {request_id}")
        self._log(
            f"REPORT RequestId: {request_id}\tDuration: {duration:.2f} ms\tBilled Duration: {int(duration) + 1} ms\t"
            f"Memory Size: {function.memory} MB"
        )
        if not invocation.failed and len(invocation.payload) > MAX_PAYLOAD:
            invocation.failed = True
            invocation.payload = _error(
                "Function.ResponseSizeTooLarge",
                f"Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes).",
            )
        return invocation, "".join(self._output)

    def stop(self) -> None:
        self._events.put(None)
        if self.alive:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        threading.Thread(target=self._close_server, daemon=True).start()

    def _close_server(self) -> None:
        # shutdown waits for the server's loop, which a caller need not.
        self._server.shutdown()
        self._server.server_close()

    # What the runtime API does for the process

    def next_event(self) -> Invocation | None:
        self._ready.set()
        return self._events.get()

    def answered(self, request_id: str, payload: bytes, failed: bool) -> None:
        current = self._current
        if current is not None and current.request_id == request_id:
            current.answer(payload, failed)

    def failed_to_start(self, payload: bytes) -> None:
        self._init_error = payload

    def _wait(self) -> None:
        self._process.wait()
        self._ready.set()
        self._answer_for_dead()

    def _answer_for_dead(self) -> None:
        current = self._current
        if current is None:
            return
        code = self._process.returncode
        how = (
            f"exit status {code}" if code is not None and code >= 0 else f"signal: {signal.Signals(-(code or 9)).name}"
        )
        died = _error("Runtime.ExitError", f"RequestId: {current.request_id} Error: Runtime exited with error: {how}")
        current.answer(self._init_error or died, True)

    def _variables(self, region: str, environment: dict[str, str], trace_port: int) -> dict[str, str]:
        function = self._function
        return {
            # Lambda's reserved variables; https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
            "_HANDLER": function.handler,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self._stream,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{trace_port}",
            "LAMBDA_TASK_ROOT": str(function.package),
            "LANG": "en_US.UTF-8",
            "PATH": os.pathsep.join(
                ["/usr/local/bin", "/usr/bin", "/bin", *(str(layer / "bin") for layer in function.layers)]
            ),
            "PYTHONPATH": os.pathsep.join(
                [str(function.package), *(str(layer / "python") for layer in function.layers)]
            ),
            "PYTHONUNBUFFERED": "1",
            "TZ": ":UTC",
            **function.variables,
            **environment,
        }

    def _read_output(self, output: IO[bytes] | None) -> None:
        if output is None:
            return
        for line in output:
            self._log(line.decode(errors="replace").rstrip("\n").replace("\r", "\n"))

    def _log(self, line: str) -> None:
        self._output.append(f"{line}\n")
        self._logs.write(self._stream, line)


#: Lambda gives a process ten seconds to start outside of the function's own time-out.
_INIT_SECONDS = 10


def _error(name: str, message: str) -> bytes:
    return json.dumps({"errorType": name, "errorMessage": message}).encode()


class _RuntimeApi(ThreadingHTTPServer):
    daemon_threads = True


def _handler_for(process: _Process) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Lambda's runtime API; https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            invocation = process.next_event()
            if invocation is None:
                self.close_connection = True
                return
            self.send_response(200)
            for name, value in (
                ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
                ("Lambda-Runtime-Deadline-Ms", str(int(invocation.deadline * 1000))),
                ("Lambda-Runtime-Invoked-Function-Arn", invocation.arn),
                ("Lambda-Runtime-Trace-Id", invocation.trace),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(invocation.event))),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(invocation.event)

        def do_POST(self) -> None:
            body = self._body()
            *_, request_id, what = self.path.split("/")
            if request_id == "init":
                process.failed_to_start(body)
            else:
                process.answered(request_id, body, failed=what == "error")
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def log_message(self, format: str, *args: Any) -> None:
            """The runtime API is no web server whose requests anybody reads."""

    return Handler
