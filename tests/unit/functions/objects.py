"""What several files of tests put into buckets and read from them. Each calls functions as Step Functions does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import plan
from migration.airflow import runs
from migration.aws import clients
from migration.exchange.store import of_artifact, of_attempt
from migration.report import contents
from tests.unit.functions.conftest import Handler, document

Plan = dict[str, Any]


SCHEMA = Path(contents.__file__).with_name("report.schema.json")


def put(key: str, body: str = "x", bucket: str = "dags") -> str:
    return clients.s3().put_object(Bucket=bucket, Key=key, Body=body.encode()).get("VersionId", "")


def keys(prefix: str = "", bucket: str = "dags") -> list[str]:
    found = clients.s3().list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for item in found.get("Contents", [])]


def leave(migration: Plan, dag: str, name: str, status: str = "done", **content: Any) -> None:
    """Leaves a result as the engine does."""
    result = {"command": name, "status": status, "run_id": runs.run_id(migration, dag), "seconds": 1.0, "error": None}  # type: ignore[arg-type]
    of_artifact(clients.s3(), migration).write(f"{name}.json", {**result, **content})  # type: ignore[arg-type]


OURS = ["mwaa_migrator/__init__.py", "mwaa_migrator_export.py"]


def next_attempt(planned: Plan, call: Handler, given: dict[str, Any] | None = None) -> Plan:
    """The same input again (`given`, or the usual one), after a roll back that kept the target."""
    of_attempt(clients.s3(), planned).write("rolled_back.json", {})  # type: ignore[arg-type]
    again = call(plan, input=given or document())
    assert again["attempt"] == planned["attempt"] + 1
    return again


def table(**parts: Any) -> Plan:
    good = {"exported": 10, "merged": 7, "kept": 2, "set_aside": 1, "match": True}
    return good | {"checksum_source": "c", "checksum_target": "c"} | parts


def refuse(monkeypatch: pytest.MonkeyPatch, owner: Any, method: str, operation: str, code: str, status: int) -> None:
    """Makes a method answer as AWS does when it refuses an operation."""

    def refused(*_: Any, **__: Any) -> None:
        told: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(told, operation)

    monkeypatch.setattr(owner, method, refused)


def read(key: str) -> str:
    return clients.s3().get_object(Bucket="exchange", Key=key)["Body"].read().decode()
