"""DAG folders: the user's copied from the source to the target, and our DAGs put into both."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from migration.airflow.our_dags import NAME
from migration.environments.s3_objects import Source, delete, folder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from migration.environments.bucket_writer import BucketWriter

# Our DAGs, packaged beside the functions.
DAGS = Path(__file__).parents[2] / "dags"
AIRFLOWIGNORE = ".airflowignore"


def list_objects(s3: S3Client, bucket: str, prefix: str) -> Iterator[Source]:
    """The current objects under a prefix. Ours and folder markers are left out.

    Not from a list of versions: a pipeline that deploys each hour leaves hundreds of them for each file.
    """
    ours = (f"{prefix}{NAME}/", f"{prefix}{NAME}_")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            if not item["Key"].endswith("/") and not item["Key"].startswith(ours):
                yield Source(item["Key"], None, item["ETag"], item["Size"])


def names(s3: S3Client, bucket: str, path: str) -> set[str]:
    """The paths of all files below a DAG folder; folder markers are left out."""
    prefix = folder(path)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = (item["Key"] for page in pages for item in page.get("Contents", []))
    return {key.removeprefix(prefix) for key in keys if not key.endswith("/")}


def copy_folder(
    s3: S3Client, bucket: str, path: str, writer: BucketWriter, to_path: str, names: Collection[str]
) -> int:
    """Copies files (`names`, paths below it) of a DAG folder. Returns their number.

    Objects that the target has with the same content are skipped.
    """
    prefix, to_prefix = folder(path), folder(to_path)
    there = {item.key: item for item in list_objects(writer.s3, writer.bucket, to_prefix)}
    objects = [item for item in list_objects(s3, bucket, prefix) if item.key.removeprefix(prefix) in names]

    def is_there(source: Source) -> bool:
        present = there.get(to_prefix + source.key.removeprefix(prefix))
        return present is not None and (present.etag, present.size) == (source.etag, source.size)

    writer.copy_all([source for source in objects if not is_there(source)], bucket, prefix, to_prefix)
    return len(objects)


def remove_files(s3: S3Client, bucket: str, path: str, gone: Iterable[str]) -> None:
    """Removes files (paths below a DAG folder) that were copied there and are gone where they came from."""
    prefix = folder(path)
    delete(s3, bucket, [prefix + name for name in sorted(gone)])


def users_files(s3: S3Client, bucket: str, path: str) -> dict[str, str]:
    """The paths of the user's files below a DAG folder, with their ETags."""
    prefix = folder(path)
    return {item.key.removeprefix(prefix): item.etag for item in list_objects(s3, bucket, prefix)}


def take_back(s3: S3Client, bucket: str, path: str, copied: Mapping[str, str | None]) -> int:
    """Removes files that were copied into a DAG folder, and that nobody has changed since. Returns their number.

    `copied`: the files' paths with the ETags that they got there, None where a copy may not have ended.
    """
    there = users_files(s3, bucket, path)
    ours = [name for name, etag in copied.items() if name in there and etag in (None, there[name])]
    remove_files(s3, bucket, path, ours)
    return len(ours)


def put_our_dags(writer: BucketWriter, path: str) -> int:
    """Puts our DAG files into a DAG folder. Returns their number."""
    ours = (file for file in DAGS.rglob("*") if file.relative_to(DAGS).parts[0].startswith(NAME))
    files = sorted(file for file in ours if file.suffix == ".py" or file.name == AIRFLOWIGNORE)

    def put(some: list[Path]) -> None:
        contents = ((file.relative_to(DAGS).as_posix(), file.read_bytes()) for file in some)
        writer.put_all(folder(path), contents, "text/x-python")

    # The package first: a DAG file that is parsed before its package would leave an import error. And first of all
    # what keeps Airflow from parsing the package's modules as DAG files.
    package = [file for file in files if file.parent != DAGS]
    put([file for file in package if file.name == AIRFLOWIGNORE])
    put([file for file in package if file.name != AIRFLOWIGNORE])
    put([file for file in files if file.parent == DAGS])
    return len(files)


def remove_our_dags(s3: S3Client, bucket: str, path: str) -> int:
    """Removes our DAG files. Returns their number; 0 where they are gone already."""
    prefix = folder(path)
    keys = [
        item["Key"]
        for start in (f"{prefix}{NAME}/", f"{prefix}{NAME}_")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start)
        for item in page.get("Contents", [])
    ]
    # DAG files before their package, for the same reason as above.
    package = [key for key in keys if "/" in key.removeprefix(prefix)]
    delete(s3, bucket, [key for key in keys if key not in package])
    delete(s3, bucket, package)
    return len(keys)
