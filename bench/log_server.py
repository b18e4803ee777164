"""Serves a LogService over HTTP, with the time that an answer takes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from typing import Any

from bench.log_service import LogService, ServiceError


class LogServer:
    """An endpoint on a free port of 127.0.0.1, in a thread of its own. A context manager."""

    def __init__(self, service: LogService, latency: Mapping[str, float] | None = None) -> None:
        """`latency`: seconds until an answer, by operation; others are answered at once."""
        self.service = service
        self._latency = dict(latency or {})
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="log server", daemon=True)
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> LogServer:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connection, "127.0.0.1", 0, limit=2**24))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                headers = {}
                for line in head.decode("latin-1").split("\r\n")[1:]:
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                status, answer = await self._answer(head, headers, body)
                writer.write(
                    b"HTTP/1.1 %d OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n"
                    % (status, len(answer))
                    + answer
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    async def _answer(self, head: bytes, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        operation = headers["x-amz-target"].split(".")[1]
        delay = self._latency.get(operation, 0.0)
        if delay:
            await asyncio.sleep(delay)
        try:
            answer: Any = self.service.call(operation, json.loads(body))
        except ServiceError as error:
            told = {"__type": error.code, "message": str(error)}
            return error.status, json.dumps(told).encode()
        return 200, answer if isinstance(answer, bytes) else json.dumps(answer).encode()
