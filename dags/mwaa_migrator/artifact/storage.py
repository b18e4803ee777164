"""Where an artifact lies: a directory, or a prefix in S3. Names are relative, with ``/`` between their parts.

Writing is a stream: ``open_write`` gives an object with ``write(bytes)``, ``close()`` (what was written becomes
visible) and ``abort()`` (nothing stays). Reading gives an object with ``read(size)`` and ``close()``.
"""

from __future__ import annotations

import abc
import json
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from typing import Any, Iterator

from mwaa_migrator.errors import InvalidArguments, MissingRight, StorageUnavailable

#: S3 refuses multipart parts under 5 MiB other than the last; 10,000 parts of 8 MiB are 80 GB, far above one of ours.
MULTIPART_BYTES = 8 * 1024 * 1024


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
        """Bytes of the object, or None where it does not exist."""

    @abc.abstractmethod
    def folders(self) -> list[str]:
        """Names of the folders directly below."""

    def child(self, name: str) -> Storage:
        return open_storage(self.url.rstrip("/") + "/" + name)

    @abc.abstractmethod
    def delete_all(self) -> None:
        """Remove everything below this place."""

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


class _AtomicFile:
    """A file that gets its name only when it is closed."""

    def __init__(self, path: str) -> None:
        self._path = path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor, self._temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".writing-")
        self._file = os.fdopen(descriptor, "wb", buffering=0)

    def write(self, content: bytes) -> int:
        view = memoryview(content)
        with _named_errors(self._path):
            while view:
                view = view[self._file.write(view) :]
        return len(content)

    def close(self) -> None:
        with _named_errors(self._path):
            self._file.close()
            os.replace(self._temporary, self._path)

    def abort(self) -> None:
        self._file.close()
        if os.path.exists(self._temporary):
            os.unlink(self._temporary)


class DirectoryStorage(Storage):
    def __init__(self, directory: str) -> None:
        self.url = os.path.abspath(directory)

    def _path(self, name: str) -> str:
        return os.path.join(self.url, *name.split("/"))

    def open_write(self, name: str) -> Any:
        with _named_errors(self.url):
            return _AtomicFile(self._path(name))

    def open_read(self, name: str) -> Any:
        with _named_errors(self.url):
            return open(self._path(name), "rb", buffering=0)

    def size(self, name: str) -> int | None:
        with _named_errors(self.url):
            try:
                return os.path.getsize(self._path(name))
            except FileNotFoundError:
                return None

    def folders(self) -> list[str]:
        if not os.path.isdir(self.url):
            return []
        with _named_errors(self.url):
            return sorted(entry.name for entry in os.scandir(self.url) if entry.is_dir())

    def delete_all(self) -> None:
        shutil.rmtree(self.url, ignore_errors=True)


class _S3Upload:
    """One object, uploaded in parts while it is written; a small one by a single PutObject."""

    def __init__(self, client: Any, bucket: str, key: str, url: str) -> None:
        self._client = client
        self._object = {"Bucket": bucket, "Key": key}
        self._url = url
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []

    def write(self, content: bytes) -> int:
        self._buffer += content
        while len(self._buffer) >= MULTIPART_BYTES:
            self._upload_part(bytes(self._buffer[:MULTIPART_BYTES]))
            del self._buffer[:MULTIPART_BYTES]
        return len(content)

    def _upload_part(self, content: bytes) -> None:
        with _named_errors(self._url):
            if self._upload_id is None:
                self._upload_id = self._client.create_multipart_upload(**self._object)["UploadId"]
            number = len(self._parts) + 1
            answer = self._client.upload_part(UploadId=self._upload_id, PartNumber=number, Body=content, **self._object)
            self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    def close(self) -> None:
        with _named_errors(self._url):
            if self._upload_id is None:
                self._client.put_object(Body=bytes(self._buffer), **self._object)
                return
        if self._buffer:
            self._upload_part(bytes(self._buffer))
        with _named_errors(self._url):
            self._client.complete_multipart_upload(
                UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}, **self._object
            )

    def abort(self) -> None:
        if self._upload_id is not None:
            with _named_errors(self._url):
                self._client.abort_multipart_upload(UploadId=self._upload_id, **self._object)


class _S3Download:
    def __init__(self, body: Any, url: str) -> None:
        self._body = body
        self._url = url

    def read(self, size: int | None = None) -> bytes:
        with _named_errors(self._url):
            return bytes(self._body.read(size))

    def close(self) -> None:
        self._body.close()


class S3Storage(Storage):
    def __init__(self, bucket: str, prefix: str) -> None:
        # boto3 costs a third of a second to import and a directory needs none of it.
        import boto3
        from botocore.config import Config

        self.url = "s3://" + "/".join(part for part in (bucket, prefix) if part)
        self._bucket = bucket
        self._prefix = prefix + "/" if prefix else ""
        self._client = boto3.client("s3", config=Config(retries={"mode": "standard", "max_attempts": 8}))

    def open_write(self, name: str) -> Any:
        return _S3Upload(self._client, self._bucket, self._prefix + name, self.url)

    def open_read(self, name: str) -> Any:
        with _named_errors(self.url):
            return _S3Download(self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"], self.url)

    def size(self, name: str) -> int | None:
        with _named_errors(self.url):
            # ListObjectsV2 rather than HeadObject: a missing object is 403 to HeadObject where s3:ListBucket lacks.
            answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix + name, MaxKeys=1)
        for entry in answer.get("Contents", []):
            if entry["Key"] == self._prefix + name:
                return int(entry["Size"])
        return None

    def folders(self) -> list[str]:
        names = []
        with _named_errors(self.url):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix, Delimiter="/"
            )
            for page in pages:
                names += [entry["Prefix"][len(self._prefix) : -1] for entry in page.get("CommonPrefixes", [])]
        return sorted(names)

    def delete_all(self) -> None:
        with _named_errors(self.url):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            for page in pages:
                keys = [{"Key": entry["Key"]} for entry in page.get("Contents", [])]
                if keys:
                    self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True})


_S3_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9])(?:/(?P<prefix>[^\r\n]*))?\Z")


def open_storage(url: str) -> Storage:
    """A directory's path or ``s3://bucket/prefix``.

    Raises InvalidArguments for another scheme or a bucket name that S3 does not allow.
    """
    if url and "://" not in url:
        return DirectoryStorage(url)
    match = _S3_URL.match(url)
    if not match:
        raise InvalidArguments(f"'{url}' is neither a directory nor s3://bucket/prefix.")
    return S3Storage(match.group("bucket"), (match.group("prefix") or "").strip("/"))


_RIGHTS = {"AccessDenied", "AccessDeniedException", "403", "KMS.AccessDeniedException", "AllAccessDisabled"}


@contextmanager
def _named_errors(url: str) -> Iterator[None]:
    """Turn what the file system and S3 raise into MissingRight or StorageUnavailable."""
    try:
        yield
    except PermissionError as error:
        raise MissingRight(f"{url} cannot be accessed: {error.strerror}. Give this user the right.") from error
    except OSError as error:
        if not error.filename and not error.strerror:
            raise
        raise StorageUnavailable(f"{url} cannot be used: {error}.") from error
    except Exception as error:
        # botocore is not always installed, so its classes cannot be named in an except clause.
        if type(error).__module__.split(".")[0] not in ("botocore", "boto3"):
            raise
        code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
        if code in _RIGHTS:
            message = f"{url} cannot be accessed: {error}. Grant this role the action on the bucket and its key."
            raise MissingRight(message) from error
        raise StorageUnavailable(f"{url} cannot be used: {error}.") from error
