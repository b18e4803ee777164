"""An artifact under a prefix in S3."""

from __future__ import annotations

import os
import threading
from typing import Any, NamedTuple

from mwaa_migrator.artifact.storage import Storage, named_storage_errors

#: S3 refuses multipart parts under 5 MiB other than the last; 10,000 parts of 8 MiB are 80 GB, far above one of ours.
MULTIPART_BYTES = 8 * 1024 * 1024

#: What S3 answers to a conditional write that came too late, or at the same time as another.
_OVERTAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409", "404")

#: How long one try to connect to S3 may take.
CONNECT_SECONDS = 5


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
        with named_storage_errors(self._url):
            if self._upload_id is None:
                self._upload_id = self._client.create_multipart_upload(**self._object)["UploadId"]
            number = len(self._parts) + 1
            answer = self._client.upload_part(UploadId=self._upload_id, PartNumber=number, Body=content, **self._object)
            self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    def close(self) -> None:
        with named_storage_errors(self._url):
            if self._upload_id is None:
                self._client.put_object(Body=bytes(self._buffer), **self._object)
                return
        if self._buffer:
            self._upload_part(bytes(self._buffer))
        with named_storage_errors(self._url):
            self._client.complete_multipart_upload(
                UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}, **self._object
            )

    def abort(self) -> None:
        if self._upload_id is not None:
            with named_storage_errors(self._url):
                self._client.abort_multipart_upload(UploadId=self._upload_id, **self._object)


class _S3Download:
    def __init__(self, body: Any, url: str) -> None:
        self._body = body
        self._url = url

    def read(self, size: int | None = None) -> bytes:
        with named_storage_errors(self._url):
            return bytes(self._body.read(size))

    def close(self) -> None:
        self._body.close()


class Tagged(NamedTuple):
    """An object's content, and the tag that S3 gave this version of it."""

    content: bytes
    tag: str


class S3Storage(Storage):
    def __init__(self, bucket: str, prefix: str) -> None:
        # Importing boto3 takes a third of a second, and a directory does without it.
        import boto3
        from botocore.config import Config

        self.url = "s3://" + "/".join(part for part in (bucket, prefix) if part)
        self._bucket = bucket
        self._prefix = prefix + "/" if prefix else ""
        # Eight more tries of botocore's minute each would make a worker without a way to S3 hang for ten.
        config = Config(
            connect_timeout=CONNECT_SECONDS, read_timeout=60, retries={"mode": "standard", "max_attempts": 8}
        )
        # boto3 reads them itself from 1.28 on, and Airflow 1.10 has an older one.
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None
        self._client = boto3.client("s3", config=config, endpoint_url=endpoint)
        self._condition = threading.local()
        self._client.meta.events.register("before-call.s3.PutObject", self._add_condition)

    def _add_condition(self, params: Any, **_: Any) -> None:
        """Put the condition of this thread's write, if it has one, into a request's headers."""
        params["headers"].update(getattr(self._condition, "headers", {}))

    def open_write(self, name: str) -> Any:
        return _S3Upload(self._client, self._bucket, self._prefix + name, self.url)

    def open_read(self, name: str) -> Any:
        with named_storage_errors(self.url):
            return _S3Download(self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"], self.url)

    def size(self, name: str) -> int | None:
        with named_storage_errors(self.url):
            # Not HeadObject, which answers 403 for a missing object if s3:ListBucket is missing too.
            answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix + name, MaxKeys=1)
        for entry in answer.get("Contents", []):
            if entry["Key"] == self._prefix + name:
                return int(entry["Size"])
        return None

    def read_tagged(self, name: str) -> Tagged | None:
        """An object as it is now; None if it does not exist."""
        if self.size(name) is None:
            return None
        with named_storage_errors(self.url):
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            return Tagged(bytes(answer["Body"].read()), str(answer["ETag"]))

    def write_over(self, name: str, content: bytes, tag: str | None) -> str | None:
        """Write over the version that has this tag, or where there is no object if it is None.

        Returns the new tag, or None if somebody else was quicker; then nothing was written. (S3 User Guide, "How to
        prevent object overwrites with conditional writes"; boto3 has parameters for it from 1.35.69 on only.)
        """
        self._condition.headers = {"If-None-Match": "*"} if tag is None else {"If-Match": tag}
        with named_storage_errors(self.url):
            try:
                answer = self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content)
                return str(answer["ETag"])
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] not in _OVERTAKEN:
                    raise
                return None
            finally:
                self._condition.headers = {}

    def names(self, folder: str) -> list[str]:
        """The names of all objects in a folder below."""
        with named_storage_errors(self.url):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{self._prefix}{folder}/"
            )
            return [entry["Key"][len(self._prefix) :] for page in pages for entry in page.get("Contents", [])]

    def folders(self) -> list[str]:
        names = []
        with named_storage_errors(self.url):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix, Delimiter="/"
            )
            for page in pages:
                names += [entry["Prefix"][len(self._prefix) : -1] for entry in page.get("CommonPrefixes", [])]
        return sorted(names)

    def child(self, name: str) -> Storage:
        return S3Storage(self._bucket, self._prefix + name)

    def delete_all(self) -> None:
        with named_storage_errors(self.url):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            for page in pages:
                keys = [{"Key": entry["Key"]} for entry in page.get("Contents", [])]
                if keys:
                    self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True})
