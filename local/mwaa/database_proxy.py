"""Stands between Airflow and PostgreSQL, as RDS Proxy does in front of Amazon MWAA's metadata databases.

`python -m local.mwaa.database_proxy <PostgreSQL's port>` prints two ports: its own, and that of the credentials below.
Each session of a client is one of the server, and:

- `airflow_user` logs in with a token that new connections may use for a short time, as with an IAM token of RDS, and
  `adminuser` with a password.
- Start-up options are refused.
- A client that has been idle for too long is disconnected.
- The session of a client that has gone without a word lives on for a while.

The credentials with which an environment makes its tokens are served over HTTP, as Amazon ECS serves a container those
of its role. Here they sign tokens and nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import cast

from local.installations import metadata_roles
from local.installations.folders import ROOT

_PROTOCOL_3, _CANCEL, _SSL, _GSS = 3, 80877102, 80877103, 80877104
_LONGEST_STARTUP = 10_000
_HOST = "127.0.0.1"
_CREDENTIALS_PATH = "/v2/credentials/database"


@dataclass(frozen=True)
class DatabaseProxySettings:
    """
    Attributes:
        secret: the password of the owner.
        token_seconds: how long a new connection may use a token; 15 minutes in an account.
        idle_seconds: RDS Proxy's IdleClientTimeout, half an hour by default.
        linger_seconds: how long the server's session lives on when its client has gone without a word.
    """

    secret: str
    token_seconds: float
    idle_seconds: float
    linger_seconds: float

    @classmethod
    def of_environment(cls, secret: str) -> DatabaseProxySettings:
        """As the variables say; their defaults are shorter than what an account has."""
        return cls(
            secret,
            float(os.environ.get("DATABASE_TOKEN_SECONDS", "30")),
            float(os.environ.get("DATABASE_IDLE_SECONDS", "120")),
            float(os.environ.get("DATABASE_LINGER_SECONDS", "20")),
        )

    def variables(self) -> dict[str, str]:
        """For the proxy's own process."""
        return {
            "DATABASE_SECRET": self.secret,
            "DATABASE_TOKEN_SECONDS": str(self.token_seconds),
            "DATABASE_IDLE_SECONDS": str(self.idle_seconds),
            "DATABASE_LINGER_SECONDS": str(self.linger_seconds),
        }

    @property
    def signing_key(self) -> str:
        """What tokens are signed with."""
        return hashlib.sha256(f"tokens of {self.secret}".encode()).hexdigest()


class DatabaseProxy:
    """The proxy in a process of its own, from `start` to `stop`."""

    def __init__(self, settings: DatabaseProxySettings) -> None:
        self.settings = settings
        self.host = _HOST
        self.port = 0
        self._credentials_port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self, server_port: int) -> None:
        """Returns when it accepts connections."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(server_port)],
            env={**os.environ, **self.settings.variables()},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.port, self._credentials_port = map(int, self._process.stdout.readline().split())

    def token_variables(self) -> dict[str, str]:
        """Those of the images by which whoever has them makes tokens (shim/mwaa/config/rds_iam.py)."""
        return {
            "USE_IAM_CREDENTIALS": "true",
            "AWS_TASK_EXEC_CREDENTIALS_RELATIVE_URI": _CREDENTIALS_PATH,
            "ECS_CONTAINER_METADATA_URI": f"http://{self.host}:{self._credentials_port}/v3/container",
            "RDS_IAM_TOKEN_HOSTNAME": self.host,
        }

    def stop(self) -> None:
        """Ends all sessions. Does nothing where it has not started."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


class _Refused(Exception):
    """The client gets an error, with PostgreSQL's code for it, and no session."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _is_valid(token: str, signing_key: str) -> bool:
    """Whether a token is signed and has not expired."""
    expires, _, signature = token.partition(":")
    expected = hmac.new(signing_key.encode(), expires.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature, expected) and time.time() < float(expires)


class _Side(asyncio.Protocol):
    """One end of a session: what it receives goes to the other."""

    def __init__(self, linger_seconds: float) -> None:
        self.other: _Side = self
        self._linger_seconds = linger_seconds
        self.transport: asyncio.Transport | None = None
        self.received_at = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received_at = time.monotonic()
        if self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        # A client that has said goodbye is gone from the server already.
        if self.other.transport is not None:
            asyncio.get_running_loop().call_later(self._linger_seconds, self.other.transport.close)


class _Server:
    def __init__(self, server_port: int, settings: DatabaseProxySettings) -> None:
        self._server_port = server_port
        self._settings = settings

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            startup = await self._log_in(reader, writer)
            client, server = _Side(self._settings.linger_seconds), _Side(0)
            client.other, server.other = server, client
            client.transport = cast("asyncio.Transport", writer.transport)
            await asyncio.get_running_loop().create_connection(lambda: server, _HOST, self._server_port)
        except _Refused as refused:
            fields = f"SFATAL\0VFATAL\0C{refused.code}\0M{refused}\0\0".encode()
            writer.write(b"E" + struct.pack("!i", len(fields) + 4) + fields)
            writer.close()
            return
        except (asyncio.IncompleteReadError, OSError):
            writer.close()
            return
        assert server.transport is not None
        server.transport.write(startup)
        writer.transport.set_protocol(client)
        if writer.transport.is_closing():
            server.transport.close()
        await self._disconnect_when_idle(client, server)

    async def _log_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The client's start-up message, when the client has shown that it may have a session."""
        while True:
            head = await reader.readexactly(8)
            length, protocol = struct.unpack("!ii", head)
            if protocol not in (_SSL, _GSS):
                break
            writer.write(b"N")
        if not len(head) <= length <= _LONGEST_STARTUP:
            raise _Refused("08P01", "invalid length of startup packet")
        body = await reader.readexactly(length - len(head))
        if protocol == _CANCEL or protocol >> 16 != _PROTOCOL_3:
            return head + body
        words = body.decode().split("\0")
        parameters = dict(zip(words[::2], words[1::2], strict=False))
        if parameters.get("options"):
            message = "Feature not supported: RDS Proxy currently doesn't support command-line options."
            raise _Refused("0A000", message)
        # AuthenticationCleartextPassword, as for IAM tokens.
        writer.write(b"R" + struct.pack("!ii", 8, 3))
        _, length = struct.unpack("!ci", await reader.readexactly(5))
        password = (await reader.readexactly(length - 4)).rstrip(b"\0").decode()
        user = parameters.get("user")
        if not (
            (user == metadata_roles.USER and _is_valid(password, self._settings.signing_key))
            or (user == metadata_roles.OWNER and hmac.compare_digest(password, self._settings.secret))
        ):
            raise _Refused("28P01", f'password authentication failed for user "{user}"')
        return head + body

    async def _disconnect_when_idle(self, client: _Side, server: _Side) -> None:
        """A client is idle from the server's last answer to its next request."""
        assert client.transport is not None
        while not client.transport.is_closing():
            is_waiting = client.received_at > server.received_at
            idle = 0.0 if is_waiting else time.monotonic() - server.received_at
            if idle >= self._settings.idle_seconds:
                client.transport.close()
            await asyncio.sleep(max(0.05, self._settings.idle_seconds - idle))


class _Credentials:
    def __init__(self, settings: DatabaseProxySettings) -> None:
        # Amazon ECS does not say how long a token lives; the images know it.
        document = {"SecretAccessKey": settings.signing_key, "TokenSeconds": settings.token_seconds}
        self._body = json.dumps(document).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            writer.close()
            return
        is_known = request.startswith(f"GET {_CREDENTIALS_PATH} ".encode())
        status, body = ("200 OK", self._body) if is_known else ("404 Not Found", b"{}")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        writer.close()


async def _main(server_port: int) -> None:
    settings = DatabaseProxySettings.of_environment(os.environ["DATABASE_SECRET"])
    accepting, credentials = _Server(server_port, settings), _Credentials(settings)
    servers = [await asyncio.start_server(one.serve, _HOST, 0, backlog=512) for one in (accepting, credentials)]
    sys.stdout.write(" ".join(str(server.sockets[0].getsockname()[1]) for server in servers) + "\n")
    sys.stdout.flush()
    # Whoever started it may be killed.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
