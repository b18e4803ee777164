"""Objects copied from the source's DAG bucket to the target's, and our DAGs put into DAG folders."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from .errors import CopyRefused, ResourceMissing
from .faults import code_of, is_transient, message_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Our DAGs, packaged beside the functions. Everything under this name in a DAG folder is ours.
DAGS = Path(__file__).parent.parent / "dags"
AIRFLOWIGNORE = ".airflowignore"
OUR_NAME = "mwaa_migrator"

# Copies run inside S3 and wait for it: many fit one function.
COPIERS = 32
# CopyObject's limit; a larger object is copied in parts by the SDK's transfer manager.
_ONE_COPY = 5 * 1024**3


class Source(NamedTuple):
    """An object and the version that is copied."""

    key: str
    version: str | None
    etag: str
    size: int


def folder(path: str) -> str:
    """A DAG folder as a prefix with one slash at its end."""
    return path.strip("/") + "/"


def list_objects(s3: S3Client, bucket: str, prefix: str) -> Iterator[Source]:
    """The current objects under a prefix, with their versions pinned. Ours and folder markers are left out."""
    ours = (f"{prefix}{OUR_NAME}/", f"{prefix}{OUR_NAME}_")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Versions", []):
            if item["IsLatest"] and not item["Key"].endswith("/") and not item["Key"].startswith(ours):
                version = item.get("VersionId")
                yield Source(item["Key"], None if version == "null" else version, item["ETag"], item["Size"])


def names(s3: S3Client, bucket: str, path: str) -> set[str]:
    """The paths of all files below a DAG folder; folder markers are left out."""
    prefix = folder(path)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = (item["Key"] for page in pages for item in page.get("Contents", []))
    return {key.removeprefix(prefix) for key in keys if not key.endswith("/")}


def copy(s3: S3Client, source: Source, bucket: str, to_bucket: str, to_key: str) -> str | None:
    """Copies one version inside S3, also between regions (`s3` is the target's). Returns the new version's id."""
    pinned = {"Bucket": bucket, "Key": source.key} | ({"VersionId": source.version} if source.version else {})
    try:
        if source.size > _ONE_COPY:
            s3.copy(pinned, to_bucket, to_key)  # type: ignore[arg-type]  # a plain dict
            return s3.head_object(Bucket=to_bucket, Key=to_key).get("VersionId")
        answer = s3.copy_object(Bucket=to_bucket, Key=to_key, CopySource=pinned)  # type: ignore[arg-type]
        return answer.get("VersionId")
    except ClientError as error:
        raise _refused(error, f"s3://{bucket}/{source.key}", f"s3://{to_bucket}/{to_key}") from error


def copy_folder(s3_source: S3Client, s3_target: S3Client, bucket: str, path: str, to_bucket: str, to_path: str) -> int:
    """Copies a DAG folder; objects that the target has with the same content are passed over. Returns their number.

    Objects that a newer listing of the source no longer has are not deleted in the target: the folder is new there.
    """
    prefix, to_prefix = folder(path), folder(to_path)
    there = {item.key: item for item in list_objects(s3_target, to_bucket, to_prefix)}

    def one(source: Source) -> None:
        to_key = to_prefix + source.key.removeprefix(prefix)
        present = there.get(to_key)
        if present is None or (present.etag, present.size) != (source.etag, source.size):
            copy(s3_target, source, bucket, to_bucket, to_key)

    with ThreadPoolExecutor(COPIERS) as copiers:
        return sum(1 for _ in copiers.map(one, list_objects(s3_source, bucket, prefix)))


def pin(s3: S3Client, bucket: str, key: str, version: str | None) -> Source:
    """One object at a version (None: the current one). Raises ResourceMissing."""
    pinned = {"VersionId": version} if version else {}
    try:
        head = s3.head_object(Bucket=bucket, Key=key, **pinned)  # type: ignore[arg-type]
    except ClientError as error:
        if code_of(error) in ("404", "NoSuchKey", "NoSuchVersion", "400"):
            raise ResourceMissing(
                f"s3://{bucket}/{key}, version {version or 'latest'}, does not exist, but the source environment names "
                "it. Put it back, or correct the environment."
            ) from error
        raise
    return Source(key, version or head.get("VersionId"), head["ETag"], head["ContentLength"])


def read_text(s3: S3Client, bucket: str, source: Source) -> str:
    """A small text object at its pinned version."""
    pinned = {"VersionId": source.version} if source.version else {}
    body = s3.get_object(Bucket=bucket, Key=source.key, **pinned)["Body"]  # type: ignore[arg-type]
    return body.read().decode("utf-8")


def put_text(s3: S3Client, bucket: str, key: str, text: str) -> str | None:
    """Writes a small text object. Returns its version."""
    try:
        return s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="text/plain").get("VersionId")
    except ClientError as error:
        raise _refused(error, key, f"s3://{bucket}/{key}") from error


def put_our_dags(s3: S3Client, bucket: str, path: str) -> int:
    """Puts our DAG files into a DAG folder. Returns their number."""
    ours = (file for file in DAGS.rglob("*") if file.relative_to(DAGS).parts[0].startswith(OUR_NAME))
    files = sorted(file for file in ours if file.suffix == ".py" or file.name == AIRFLOWIGNORE)

    def one(file: Path) -> None:
        key = folder(path) + file.relative_to(DAGS).as_posix()
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=file.read_bytes(), ContentType="text/x-python")
        except ClientError as error:
            raise _refused(error, file.name, f"s3://{bucket}/{key}") from error

    # The package first: a DAG file that is parsed before its package would leave an import error. And first of all
    # what keeps Airflow from parsing the package's modules as DAG files.
    package = [file for file in files if file.parent != DAGS]
    for file in package:
        if file.name == AIRFLOWIGNORE:
            one(file)
    with ThreadPoolExecutor(COPIERS) as writers:
        list(writers.map(one, [file for file in package if file.name != AIRFLOWIGNORE]))
        list(writers.map(one, [file for file in files if file.parent == DAGS]))
    return len(files)


def remove_our_dags(s3: S3Client, bucket: str, path: str) -> int:
    """Takes our DAG files away again. Returns their number; 0 where they are gone already."""
    prefix = folder(path)
    keys = [
        item["Key"]
        for start in (f"{prefix}{OUR_NAME}/", f"{prefix}{OUR_NAME}_")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start)
        for item in page.get("Contents", [])
    ]
    # DAG files before their package, for the same reason as above. One by one: a folder has some thirty of ours, and
    # DeleteObjects reports refusals inside a successful answer.
    for key in sorted(keys, key=lambda key: "/" in key.removeprefix(prefix)):
        s3.delete_object(Bucket=bucket, Key=key)
    return len(keys)


def remove_folder(s3: S3Client, bucket: str, path: str) -> int:
    """Deletes the current objects under a prefix that was made for a throw-away target. Returns their number."""
    removed = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder(path)):
        keys = [item["Key"] for item in page.get("Contents", [])]
        with ThreadPoolExecutor(COPIERS) as removers:
            list(removers.map(lambda key: s3.delete_object(Bucket=bucket, Key=key), keys))
        removed += len(keys)
    return removed


def _refused(error: ClientError, source: str, target: str) -> Exception:
    if is_transient(error):
        return error
    if code_of(error) in ("NoSuchKey", "NoSuchVersion"):
        return ResourceMissing(f"{source} disappeared while it was copied. Start the migration again.")
    return CopyRefused(
        f"{source} could not be copied to {target}: {code_of(error)}: {message_of(error)}. Give the stack's "
        "DagBucketArns both buckets, and let the function's role use their KMS keys."
    )
