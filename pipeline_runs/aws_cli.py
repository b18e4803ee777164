"""`aws s3 cp`, which is all that translated scripts call of the AWS CLI: between files, S3 and standard streams."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import boto3


def main(arguments: list[str]) -> None:
    assert arguments[:2] == ["s3", "cp"], arguments
    source, target = (item for item in arguments[2:] if not item.startswith("--"))
    s3 = boto3.client("s3")
    if "--recursive" not in arguments:
        copy(s3, source, target)
    elif source.startswith("s3://"):
        bucket, prefix = parts(source)
        for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
            name = item["Key"].removeprefix(prefix).lstrip("/")
            copy(s3, f"s3://{bucket}/{item['Key']}", str(Path(target) / name))
    else:
        for file in (file for file in sorted(Path(source).rglob("*")) if file.is_file()):
            copy(s3, str(file), f"{target.rstrip('/')}/{file.relative_to(source)}")


def copy(s3: Any, source: str, target: str) -> None:
    """Copies one object or file; one of the two is in S3."""
    if source.startswith("s3://"):
        bucket, key = parts(source)
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        if target == "-":
            sys.stdout.buffer.write(body)
            return
        file = Path(target) / key.rsplit("/", 1)[-1] if target.endswith("/") else Path(target)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        return
    bucket, key = parts(target)
    if key.endswith("/"):
        key += Path(source).name
    s3.put_object(Bucket=bucket, Key=key, Body=sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes())


def parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


main(sys.argv[1:])
