"""Lambda's runtime API, from which a function's process takes its events and to which it answers.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from local.aws.functions.invocation import Invocation


class Events(Protocol):
    """Where the events of one process come from and where its answers go."""

    def next_event(self) -> Invocation | None:
        """Waits for the next event; None when the process is to end."""

    def take_answer(self, request_id: str, payload: bytes, failed: bool) -> None: ...

    def take_init_error(self, payload: bytes) -> None:
        """The function's module could not be loaded."""


class RuntimeApi:
    """The API of one process, on a free port of 127.0.0.1, from its creation on."""

    def __init__(self, events: Events) -> None:
        self._server = _Server(("127.0.0.1", 0), _handler_for(events))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Closes the server in the background: the end of its loop takes time that no caller needs to wait for."""
        threading.Thread(target=self._close, daemon=True).start()

    def _close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def _handler_for(events: Events) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            invocation = events.next_event()
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
                events.take_init_error(body)
            else:
                events.take_answer(request_id, body, failed=what == "error")
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
            """Nobody reads a log of these requests."""

    return Handler
