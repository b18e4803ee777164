"""Where an artifact is kept: a directory, or a prefix in S3. Names are relative, with ``/`` between their parts.

Writing is a stream: ``open_write`` gives an object with ``write(bytes)``, ``close()`` (what was written becomes
visible) and ``abort()`` (nothing stays). ``open_read`` gives an object with ``read(size)`` and ``close()``.
"""

from __future__ import annotations

import abc
import json
from contextlib import contextmanager
from typing import Any, Iterator

from mwaa_migrator.errors import MigratorError, MissingRight, StorageUnavailable, StorageUnreachable


class Storage(abc.ABC):
    """What the engine asks of a place; see the module's docstring."""

    url = ""

    @abc.abstractmethod
    def open_write(self, name: str) -> Any:
        """See the module's docstring."""

    @abc.abstractmethod
    def open_read(self, name: str) -> Any:
        """See the module's docstring."""

    @abc.abstractmethod
    def size(self, name: str) -> int | None:
        """Bytes of the object; None if it does not exist."""

    @abc.abstractmethod
    def folders(self) -> list[str]:
        """Names of the folders directly below."""

    @abc.abstractmethod
    def child(self, name: str) -> Storage:
        """The folder ``name`` directly below, whether it exists or not."""

    @abc.abstractmethod
    def delete_all(self) -> None:
        """Remove everything below this place."""

    @property
    def folder(self) -> str:
        """The last part of the place's own name."""
        return self.url.rsplit("/", 1)[-1]

    def read_bytes(self, name: str) -> bytes:
        stream = self.open_read(name)
        try:
            return bytes(stream.read())
        finally:
            stream.close()

    def write_bytes(self, name: str, content: bytes) -> None:
        stream = self.open_write(name)
        try:
            stream.write(content)
        except BaseException:
            stream.abort()
            raise
        stream.close()

    def write_json(self, name: str, value: Any) -> None:
        self.write_bytes(name, json.dumps(value, indent=1, sort_keys=True, default=str).encode("utf-8"))


_MISSING_RIGHT = {"AccessDenied", "AccessDeniedException", "403", "KMS.AccessDeniedException", "AllAccessDisabled"}
_NO_CONNECTION = {"ConnectTimeoutError", "EndpointConnectionError", "ProxyConnectionError"}


@contextmanager
def named_storage_errors(url: str) -> Iterator[None]:
    """Turn the errors of the file system and of S3 into MissingRight, StorageUnreachable or StorageUnavailable."""
    try:
        yield
    except PermissionError as error:
        message = "{} cannot be accessed: {}. Give this user the right and try again."
        raise MissingRight(message.format(url, error.strerror)) from error
    except Exception as error:
        # botocore is not always installed, so no except clause can name its classes; some are OSErrors, too.
        if type(error).__module__.split(".")[0] in ("botocore", "boto3"):
            raise _named(error, url) from error
        if isinstance(error, OSError) and (error.filename or error.strerror):
            raise StorageUnavailable(f"{url} cannot be used: {error}. Correct the location or the disk.") from error
        raise


def _named(error: Exception, url: str) -> MigratorError:
    """What an error of botocore means for a location."""
    code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    if code in _MISSING_RIGHT:
        return MissingRight(
            f"{url} cannot be accessed: {error}. Grant this role the action on the bucket and on its key, and let the "
            "policy of the VPC's endpoint for S3 allow it."
        )
    if type(error).__name__ in _NO_CONNECTION:
        return StorageUnreachable(
            f"{url} cannot be reached: {error}. Give the environment's subnets a way to S3: a gateway endpoint in "
            "their route tables, or a NAT gateway if the bucket is in another region."
        )
    return StorageUnavailable(
        f"{url} cannot be used: {error}. Correct the location, or try again if S3 was unavailable."
    )
