"""Serves a LogService alone, over HTTP, with the time that its answers take; and as much of S3 as a copy needs."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from local.aws.logs.service import LogService
from local.aws.responses import AwsError

_CHUNK = 2**24


class LogServer:
    """An endpoint on a free port of 127.0.0.1, in a thread of its own; a context manager. It checks no permissions."""

    def __init__(self, service: LogService, latency: Mapping[str, float] | None = None) -> None:
        """
        Args:
            latency: seconds until an answer, by operation; other operations are answered at once.
        """
        self.service = service
        self.objects = ObjectStore()
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
        server = self._loop.run_until_complete(asyncio.start_server(self._connection, "127.0.0.1", 0, limit=_CHUNK))
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
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {}
                for line in head[1:]:
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                if headers.get("expect") == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, path, _ = head[0].split(" ")
                status, more, answer = await self._answer(method, path, headers, body)
                lines = [f"HTTP/1.1 {status} OK", f"Content-Length: {len(answer)}"]
                lines += [f"{name}: {value}" for name, value in more.items()]
                writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    async def _answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if "x-amz-target" not in headers:
            return self.objects.answer(method, path, headers, body)
        operation = headers["x-amz-target"].split(".")[1]
        delay = self._latency.get(operation, 0.0)
        if delay:
            await asyncio.sleep(delay)
        kind = {"Content-Type": "application/x-amz-json-1.1"}
        try:
            answer: Any = self.service.call(operation, json.loads(body))
        except AwsError as error:
            return error.status, kind, json.dumps({"__type": error.name, "message": error.message}).encode()
        return 200, kind, answer if isinstance(answer, bytes) else json.dumps(answer).encode()


class ObjectStore:
    """S3's PutObject with conditions, GetObject and ListObjectsV2, for any bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        url = urlsplit(path)
        key = unquote(url.path)
        if method == "PUT":
            there = self._tag(key)
            if (headers.get("if-none-match") == "*" and there) or headers.get("if-match", there) != there:
                return 412, {}, _error("PreconditionFailed")
            self.objects[key] = body
            return 200, {"ETag": self._tag(key) or ""}, b""
        query = parse_qs(url.query)
        if "list-type" in query:
            begin = f"{key.rstrip('/')}/{query.get('prefix', [''])[0]}"
            keys = [name.split("/", 2)[2] for name in sorted(self.objects) if name.startswith(begin)]
            after = query.get("start-after", [""])[0]
            contents = "".join(f"<Contents><Key>{escape(name)}</Key></Contents>" for name in keys if name > after)
            return 200, {}, f"<ListBucketResult>{contents}</ListBucketResult>".encode()
        if key not in self.objects:
            return 404, {}, _error("NoSuchKey")
        return 200, {"ETag": self._tag(key) or ""}, self.objects[key]

    def _tag(self, key: str) -> str | None:
        content = self.objects.get(key)
        return None if content is None else f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
