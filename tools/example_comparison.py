"""What `mwaa-migrator compare` prints, from a run of it on two places with objects and on a pipeline with instances."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from botocore.stub import Stubber
from click.testing import CliRunner
from moto import mock_aws

from mwaa_migrator_cli.commands import cli

ARGUMENTS = (
    "--id", "df-0123456789ABCDEF", "--runs", "runs.json", "--place", "s3://shop/export", "s3://shop-trial/export",
)  # fmt: skip
_STARTS = [datetime(2026, 11, 25, 2, 30, tzinfo=UTC) + timedelta(days=day) for day in range(2)]
_ROWS = [f"{number},{number * 17 % 1000 / 10}" for number in range(1, 1205)]


def output() -> str:
    """The command's output."""
    keys = {"AWS_ACCESS_KEY_ID": "example", "AWS_SECRET_ACCESS_KEY": "example", "AWS_DEFAULT_REGION": "us-east-1"}
    runner = CliRunner()
    with (
        patch.dict(os.environ, {**keys, "COLUMNS": "110"}),
        mock_aws(),
        tempfile.TemporaryDirectory() as folder,
        runner.isolated_filesystem(folder),
    ):
        _write_objects()
        runs = [{"logical_date": start.isoformat(), "state": "success"} for start in _STARTS]
        Path("runs.json").write_text(json.dumps(runs))
        with _instances():
            found = runner.invoke(cli, ["compare", *ARGUMENTS], catch_exceptions=False)
    return found.output


def _write_objects() -> None:
    """The same rows, cut and named as each system does."""
    s3 = boto3.client("s3")
    cut = {
        "shop": {"25/part-0000": _ROWS[700:], "25/part-0001": _ROWS[:700]},
        "shop-trial": {"25/orders.csv": _ROWS},
    }
    for bucket, objects in cut.items():
        s3.create_bucket(Bucket=bucket)
        for key, rows in (objects | {"25/_SUCCESS": []}).items():
            s3.put_object(Bucket=bucket, Key=f"export/{key}", Body="".join(f"{row}\n" for row in rows).encode())


@contextmanager
def _instances() -> Iterator[None]:
    """Gives the pipeline instances, which moto makes none of: clients of the service answer by its model."""
    client = boto3.client("datapipeline")
    found = [
        {
            "id": f"@Load_{start:%Y-%m-%dT%H:%M:%S}",
            "name": "Load",
            "fields": [
                {"key": "@scheduledStartTime", "stringValue": f"{start:%Y-%m-%dT%H:%M:%S}"},
                {"key": "@status", "stringValue": "FINISHED"},
            ],
        }
        for start in _STARTS
    ]
    make: Any = boto3.client

    def chosen(service: str, *arguments: Any, **options: Any) -> Any:
        return client if service == "datapipeline" else make(service, *arguments, **options)

    with Stubber(client) as stubber, patch.object(boto3, "client", chosen):
        stubber.add_response("query_objects", {"ids": [item["id"] for item in found], "hasMoreResults": False})
        stubber.add_response("describe_objects", {"pipelineObjects": found})
        yield
