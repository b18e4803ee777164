"""Writes to an environment's bucket: encrypted as the bucket demands, many objects at once, each refusal named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from botocore.exceptions import ClientError

from migration.aws.client_errors import code_of, is_transient, message_of
from migration.errors import CopyRefused, ResourceMissing
from migration.observability import logger
from migration.wording import listed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from migration.environments.s3_objects import Source

Item = TypeVar("Item")

# Copies run inside S3 and wait for it: many fit one function.
COPIERS = 32
# CopyObject's limit; a larger object is copied in parts by the SDK's transfer manager.
_ONE_COPY = 5 * 1024**3
# Tags are not copied: that takes rights of its own to read and to write them, and Airflow knows none.
_WITHOUT_TAGS: dict[str, Any] = {"TaggingDirective": "REPLACE"}
# Keys that an error names, and characters of each: the error's text has to fit the state machine's history. The log has
# more of them.
_NAMED, _KEY_LENGTH, _LOGGED = 20, 200, 1000
_GONE = ("NoSuchKey", "NoSuchVersion")
_KMS = {"ServerSideEncryption": "aws:kms"}


class _Refusal(NamedTuple):
    key: str
    code: str
    message: str


@dataclass(frozen=True)
class BucketWriter:
    """Writes to one bucket. Several threads may share it.

    Attributes:
        s3: a client of the bucket's region.
        encryptions: headers to try in turn. A policy can deny what comes without them, even if the bucket would encrypt
            it in the same way by default.
    """

    s3: S3Client
    bucket: str
    encryptions: tuple[dict[str, str], ...]

    @classmethod
    def of(cls, s3: S3Client, bucket: str) -> BucketWriter:
        """A writer that names the bucket's default encryption, or KMS with AWS's own key where that is refused."""
        default = _default_encryption(s3, bucket)
        return cls(
            s3, bucket, (default,) if default.get("ServerSideEncryption", "").startswith("aws:kms") else (default, _KMS)
        )

    def put(self, key: str, content: bytes, content_type: str = "text/plain") -> str | None:
        """Writes a small object. Returns its version. Raises CopyRefused."""
        try:
            return self._put(key, content, content_type)
        except ClientError as error:
            raise self._refused(error, key) from error

    def copy(self, source: Source, from_bucket: str, key: str) -> str | None:
        """Copies one version inside S3, also between regions. Returns the new version.

        Raises CopyRefused, ResourceMissing.
        """
        try:
            return self._copy(source, from_bucket, key)
        except ClientError as error:
            if code_of(error) in _GONE:
                raise ResourceMissing(
                    f"s3://{from_bucket}/{source.key} disappeared while it was copied. Start the migration again."
                ) from error
            raise self._refused(error, f"s3://{from_bucket}/{source.key}") from error

    def put_all(self, prefix: str, contents: Iterable[tuple[str, bytes]], content_type: str) -> int:
        """Writes small objects below a prefix, from pairs of a path and its content. Returns their number."""

        def one(item: tuple[str, bytes]) -> None:
            self._put(prefix + item[0], item[1], content_type)

        return self._each(one, contents, prefix, lambda item: item[0])

    def copy_all(self, sources: Iterable[Source], from_bucket: str, from_prefix: str, prefix: str) -> int:
        """Copies objects from below one prefix to below another; what is gone meanwhile is left out.

        Returns the number of all. Raises CopyRefused, which names those that were refused.
        """

        def path(source: Source) -> str:
            return source.key.removeprefix(from_prefix)

        def one(source: Source) -> None:
            try:
                self._copy(source, from_bucket, prefix + path(source))
            except ClientError as error:
                if code_of(error) not in _GONE:
                    raise

        return self._each(one, sources, prefix, path)

    def _each(
        self, act: Callable[[Item], None], items: Iterable[Item], prefix: str, path: Callable[[Item], str]
    ) -> int:
        def one(item: Item) -> _Refusal | None:
            try:
                act(item)
            except ClientError as error:
                if is_transient(error):
                    raise
                return _Refusal(path(item), code_of(error), message_of(error))
            return None

        with ThreadPoolExecutor(COPIERS) as copiers:
            outcomes = list(copiers.map(one, items))
        refusals = [refusal for refusal in outcomes if refusal is not None]
        for refusal in refusals[:_LOGGED]:
            place = {"bucket": self.bucket, "key": prefix + refusal.key, "error_name": refusal.code}
            logger.error("not copied", extra={**place, "error_message": refusal.message})
        if refusals:
            raise CopyRefused(
                f"{len(refusals)} of {len(outcomes)} objects could not be copied to s3://{self.bucket}/{prefix}: "
                f"{_by_code(refusals)}. {_REMEDY}"
            )
        return len(outcomes)

    def _put(self, key: str, content: bytes, content_type: str) -> str | None:
        return self._write_encrypted(
            lambda headers: self.s3.put_object(
                Bucket=self.bucket, Key=key, Body=content, ContentType=content_type, **headers
            ).get("VersionId")
        )

    def _copy(self, source: Source, from_bucket: str, key: str) -> str | None:
        pinned: Any = {"Bucket": from_bucket, "Key": source.key}
        if source.version:
            pinned["VersionId"] = source.version

        def copy(headers: dict[str, Any]) -> str | None:
            if source.size > _ONE_COPY:
                self.s3.copy(pinned, self.bucket, key, ExtraArgs={**_WITHOUT_TAGS, **headers})
                return self.s3.head_object(Bucket=self.bucket, Key=key).get("VersionId")
            copied = self.s3.copy_object(Bucket=self.bucket, Key=key, CopySource=pinned, **_WITHOUT_TAGS, **headers)
            return copied.get("VersionId")

        return self._write_encrypted(copy)

    def _write_encrypted(self, write: Callable[[dict[str, Any]], str | None]) -> str | None:
        *first, last = self.encryptions
        for headers in first:
            try:
                return write(headers)
            except ClientError as error:
                if code_of(error) != "AccessDenied":
                    raise
        return write(last)

    def _refused(self, error: ClientError, source: str) -> Exception:
        if is_transient(error):
            return error
        return CopyRefused(
            f"{source} could not be copied to s3://{self.bucket}: {code_of(error)}: {message_of(error)}. {_REMEDY}"
        )


_REMEDY = (
    "Give the stack's DagBucketArns both buckets, let the function's role use their KMS keys, and make the encryption "
    "that the bucket's policy demands the bucket's default encryption."
)


def _default_encryption(s3: S3Client, bucket: str) -> dict[str, str]:
    """A bucket's default encryption as headers of a write; none where it has none, or may not be looked at."""
    try:
        answer = s3.get_bucket_encryption(Bucket=bucket)
    except ClientError as error:
        if is_transient(error):
            raise
        return {}
    for rule in answer["ServerSideEncryptionConfiguration"]["Rules"]:
        default = rule.get("ApplyServerSideEncryptionByDefault")
        if default is not None:
            key = default.get("KMSMasterKeyID")
            return {"ServerSideEncryption": default["SSEAlgorithm"]} | ({"SSEKMSKeyId": key} if key else {})
    return {}


def _by_code(refusals: list[_Refusal]) -> str:
    """`AccessDenied: a.py, b.py and 3 more: what S3 said of the first`, for each code."""
    by_code: dict[str, list[_Refusal]] = {}
    for refusal in refusals:
        by_code.setdefault(refusal.code, []).append(refusal)
    share = max(1, _NAMED // len(by_code))
    return "; ".join(
        f"{code}: {listed([refusal.key[:_KEY_LENGTH] for refusal in alike], share)}: {alike[0].message}"
        for code, alike in by_code.items()
    )
