"""A release is complete, the same each time, and has an application that SAM takes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.aws.local_aws import LocalAws
from tools import packages, release
from tools.template import template

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NAME = f"mwaa-migrator-{release.version()}"
WHEEL = f"mwaa_migrator-{release.version()}-py3-none-any.whl"
BUCKET = "uploads"
UPLOADED = f"s3://{BUCKET}/"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    release.make(folder)
    return folder


@pytest.fixture(scope="module")
def application(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application's archive, unpacked."""
    folder = tmp_path_factory.mktemp("application")
    shutil.unpack_archive(released / f"{NAME}.zip", folder)
    return folder / NAME


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        location = {"LocationConstraint": aws.region}
        aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
        yield aws


@pytest.fixture(scope="module")
def packaged(application: Path, aws: LocalAws) -> str:
    """What SAM makes of the unpacked application's template and would give to CloudFormation."""
    done = subprocess.run(
        [str(BIN / "sam"), "package", "--s3-bucket", BUCKET, "--output-template-file", "packaged.yaml"],
        cwd=application,
        env={**os.environ, **aws.variables(), "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (application / "packaged.yaml").read_text()


def test_it_is_one_upload(released: Path) -> None:
    files = {file.name for file in released.iterdir()}
    assert files == {WHEEL, f"{NAME}.zip", f"{NAME}.cdx.json", "mwaa_migrator.pyz", "SHA256SUMS"}
    sums = set((released / "SHA256SUMS").read_text().splitlines())
    made = [released / name for name in files - {"SHA256SUMS"}]
    assert sums == {f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in made}


def test_the_same_commit_is_the_same_bytes(released: Path, tmp_path: Path) -> None:
    release.make(tmp_path / "again")
    assert (tmp_path / "again" / "SHA256SUMS").read_text() == (released / "SHA256SUMS").read_text()


def test_the_wheel_is_the_command_line_and_plans_by_the_functions_code(released: Path) -> None:
    with zipfile.ZipFile(released / WHEEL) as wheel:
        names = wheel.namelist()
        entry_points = wheel.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert "mwaa-migrator = mwaa_migrator_cli.commands:main" in entry_points
    for package in ("mwaa_migrator_cli", "functions/migration"):
        sources = {
            str(file.relative_to((ROOT / package).parent))
            for file in (ROOT / package).rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
        }
        assert sources <= set(names)


def test_the_application_has_the_packages_that_are_built(application: Path) -> None:
    for package in packages.build():
        assert (application / package.relative_to(ROOT)).read_bytes() == package.read_bytes()


def test_cloudformation_gets_no_anchors(packaged: str) -> None:
    assert any(isinstance(event, yaml.AliasEvent) for event in yaml.parse((ROOT / "template.yaml").read_text()))
    for event in yaml.parse(packaged):
        assert not isinstance(event, yaml.AliasEvent), event.start_mark
        assert getattr(event, "anchor", None) is None, event.start_mark
        assert getattr(event, "value", None) != "<<", event.start_mark


def test_sam_uploads_all_that_the_template_names(packaged: str, aws: LocalAws) -> None:
    resources: dict[str, dict[str, Any]] = yaml.safe_load(packaged)["Resources"]
    named = {
        "AWS::Serverless::Function": "CodeUri",
        "AWS::Serverless::LayerVersion": "ContentUri",
        "AWS::Serverless::StateMachine": "DefinitionUri",
    }
    uploads = [
        resource["Properties"][named[resource["Type"]]] for resource in resources.values() if resource["Type"] in named
    ]
    keys = [item["Key"] for item in aws.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    # The functions' package and the layer's, three definitions, the readme and the licence; each once.
    assert len(keys) == 7
    assert {_key(upload) for upload in uploads} <= set(keys)


def _key(upload: Any) -> str:
    return upload["Key"] if isinstance(upload, dict) else str(upload).removeprefix(UPLOADED)


def test_it_can_be_published(packaged: str) -> None:
    """What the Serverless Application Repository asks for (its developer guide, "Publishing applications")."""
    about = yaml.safe_load(packaged)["Metadata"]["AWS::ServerlessRepo::Application"]
    assert about["LicenseUrl"].startswith(UPLOADED)
    assert about["ReadmeUrl"].startswith(UPLOADED)
    assert about["SemanticVersion"] == release.version()
    assert len(about["Description"]) <= 256
    assert len(about["Labels"]) <= 10
    assert about["SpdxLicenseId"] == "Apache-2.0"


def test_the_application_is_deployed_from_its_archive(application: Path, aws: LocalAws) -> None:
    deployed = aws.deploy(application / "template.yaml", "released")
    functions = [one for one in template()["Resources"].values() if one["Type"] == "AWS::Serverless::Function"]
    assert len(deployed.functions) == len(functions)
    assert len({function.package for function in deployed.functions.values()}) == 1
