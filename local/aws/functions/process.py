"""A process that runs one function, event after event."""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import resource
import select
import signal
import struct
import termios
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import BinaryIO

from local.aws.functions.function import Function
from local.aws.functions.invocation import Invocation, error_payload
from local.aws.functions.logs import FunctionLogs
from local.aws.functions.runtime_api import RuntimeApi
from local.aws.functions.warm_runtimes import module_path
from local.installations.fork_server import ForkServer

#: Lambda's quota for the payload of a synchronous invocation and of its answer, in bytes.
MAX_PAYLOAD = 6 * 1024 * 1024
#: Seconds that Lambda gives a process to start, outside of the function's own time-out.
_INIT_SECONDS = 10
#: Seconds that are waited for its output to be read; what prints on and on is not waited for.
_OUTPUT_SECONDS = 2.0


class FunctionProcess:
    """Starts at once; runs one event at a time."""

    def __init__(
        self,
        function: Function,
        runtime: ForkServer,
        region: str,
        environment: dict[str, str],
        trace_port: int,
        logs: FunctionLogs,
    ) -> None:
        """
        Args:
            runtime: forks it.
            environment: credentials, endpoint and certificates.
            trace_port: where X-Ray's SDK sends its traces by UDP.
        """
        self._function = function
        self._logs = logs
        self._events: queue.Queue[Invocation | None] = queue.Queue()
        self._current: Invocation | None = None
        self._init_error: bytes | None = None
        self._output: list[str] = []
        #: Set when the process asks for its first event, or has died.
        self._ready = threading.Event()
        self._runtime_api = RuntimeApi(self)
        self._stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        self._ended = threading.Event()
        self._process, output = runtime.start_with_pipe(
            {"handler": function.handler, "environment": self._variables(region, environment, trace_port)}
        )
        if hasattr(resource, "prlimit"):  # Linux; elsewhere a function's memory has no limit
            limit = function.memory * 1024 * 1024
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(self._process.pid, resource.RLIMIT_DATA, (limit, limit))
        self._printed, self._reading = output, threading.Lock()
        threading.Thread(target=self._read_output, args=(output,), daemon=True).start()
        threading.Thread(target=self._wait, daemon=True).start()

    @property
    def name(self) -> str:
        """The function's."""
        return self._function.name

    @property
    def is_alive(self) -> bool:
        return not self._ended.is_set()

    def run(self, event: bytes) -> tuple[Invocation, str]:
        """Runs an event to its end; returns its invocation, and what was printed meanwhile."""
        function = self._function
        request_id = str(uuid.uuid4())
        trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Parent={uuid.uuid4().hex[:16]};Sampled=1"
        self._output = []
        self._ready.wait(_INIT_SECONDS)
        self._log(f"START RequestId: {request_id} Version: $LATEST")
        started = time.monotonic()
        invocation = Invocation(event, request_id, function.arn, time.time() + function.timeout, trace)
        self._current = invocation
        self._events.put(invocation)
        if not self.is_alive:  # it died before it asked for this event, so nobody else will answer
            self._answer_for_dead()
        if not invocation.answered.wait(function.timeout):
            message = f"Task timed out after {function.timeout}.00 seconds"
            invocation.answer(error_payload("Sandbox.Timedout", f"RequestId: {request_id} Error: {message}"), True)
            self._log(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z} {request_id} {message}")
            self.stop()
        self._current = None
        self._catch_up()
        duration = (time.monotonic() - started) * 1000
        self._log(f"END RequestId: {request_id}")
        self._log(
            f"REPORT RequestId: {request_id}\tDuration: {duration:.2f} ms\tBilled Duration: {int(duration) + 1} ms\t"
            f"Memory Size: {function.memory} MB"
        )
        if not invocation.failed and len(invocation.payload) > MAX_PAYLOAD:
            invocation.failed = True
            invocation.payload = error_payload(
                "Function.ResponseSizeTooLarge",
                f"Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes).",
            )
        return invocation, "".join(self._output)

    def kill(self) -> None:
        """As when its machine is lost; an event that it works on is answered as failed."""
        if self.is_alive:
            # Between its end and the news of it there is no such group.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Ends the process and its runtime API."""
        self._events.put(None)
        self.kill()
        self._ended.wait()
        self._runtime_api.stop()

    # What the runtime API asks of it

    def next_event(self) -> Invocation | None:
        self._ready.set()
        return self._events.get()

    def take_answer(self, request_id: str, payload: bytes, failed: bool) -> None:
        current = self._current
        if current is not None and current.request_id == request_id:
            current.answer(payload, failed)

    def take_init_error(self, payload: bytes) -> None:
        self._init_error = payload

    # The process

    def _wait(self) -> None:
        self._process.wait()
        self._ended.set()
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
        message = f"RequestId: {current.request_id} Error: Runtime exited with error: {how}"
        current.answer(self._init_error or error_payload("Runtime.ExitError", message), True)

    def _variables(self, region: str, environment: dict[str, str], trace_port: int) -> dict[str, str]:
        """Lambda's reserved variables; https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html."""
        function = self._function
        programs = ["/usr/local/bin", "/usr/bin", "/bin", *(str(layer / "bin") for layer in function.layers)]
        return {
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
            "AWS_LAMBDA_RUNTIME_API": self._runtime_api.address,
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{trace_port}",
            "LAMBDA_TASK_ROOT": str(function.package),
            "LANG": "en_US.UTF-8",
            "PATH": os.pathsep.join(programs),
            "PYTHONPATH": module_path(function),
            "PYTHONUNBUFFERED": "1",
            "TZ": ":UTC",
            **function.variables,
            **environment,
        }

    def _read_output(self, output: BinaryIO) -> None:
        rest, readable = b"", select.poll()
        readable.register(output)
        with output:
            while True:
                readable.poll()
                with self._reading:
                    read = os.read(output.fileno(), 65536)
                    *lines, rest = (rest + read).split(b"\n")
                    for line in lines if read else filter(None, [*lines, rest]):
                        self._log(line.decode(errors="replace").replace("\r", "\n"))
                if not read:
                    return

    def _catch_up(self) -> None:
        """Waits until everything is read that has been printed so far."""
        unread, deadline = bytearray(struct.calcsize("i")), time.monotonic() + _OUTPUT_SECONDS
        with contextlib.suppress(ValueError, OSError):  # it has ended, and the reader with it
            while time.monotonic() < deadline:
                with self._reading:
                    fcntl.ioctl(self._printed.fileno(), termios.FIONREAD, unread)
                    if not any(unread):
                        return
                time.sleep(0.001)

    def _log(self, line: str) -> None:
        self._output.append(f"{line}\n")
        self._logs.write(self._stream, line)
