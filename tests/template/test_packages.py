"""The packages: made of everything that the functions and the layer need, and again whenever any of it changes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools import bill_of_materials, packages

ROOT = Path(__file__).parents[2]
#: The sources that are in a package through what pip installs, or not at all.
REQUIREMENTS = {"functions/requirements.in", "functions/requirements.txt", "layers/ruff/requirements.in"}


def pip(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
    """Installs, in place of pip, a program and a module that say what was asked for."""
    target, lock = Path(command[command.index("--target") + 1]), Path(command[command.index("--requirement") + 1])
    for file in ("bin/ruff", "some.dist-info/METADATA", "module.py"):
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        (target / file).write_text(lock.read_text() + repr([item for item in command if item != str(target)]))
    return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the source tree that may be edited."""
    monkeypatch.setattr("tools.packages.subprocess.run", pip)
    for folder in ("functions", "dags", "layers"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def digests(tree: Path) -> list[str]:
    return [packages.digest(packages.functions(tree)), packages.digest(packages.ruff_layer(tree))]


def test_every_source_is_in_a_package(tree: Path) -> None:
    packaged = {*packages.functions(tree).values(), *packages.ruff_layer(tree).values()}
    sources = {file for folder in ("functions", "dags", "layers") for file in (tree / folder).rglob("*.*")}
    assert {str(file.relative_to(tree)) for file in sources - packaged} == REQUIREMENTS


@pytest.mark.parametrize(
    "file",
    [
        "functions/plan.py",
        "functions/migration/report/page.html",
        "functions/requirements.txt",
        "dags/mwaa_migrator_export.py",
        "dags/mwaa_migrator/cli.py",
        "layers/ruff/requirements.txt",
    ],
)
def test_an_edit_changes_a_package(tree: Path, file: str) -> None:
    before = digests(tree)
    assert (tree / file).is_file()
    with (tree / file).open("a") as edited:
        edited.write("\n# edited\n")
    assert digests(tree) != before


def test_a_new_file_and_a_deleted_one_change_a_package(tree: Path) -> None:
    before = digests(tree)
    (tree / "dags" / "mwaa_migrator" / "new.py").touch()
    with_new = digests(tree)
    (tree / "functions" / "plan.py").unlink()
    assert before != with_new != digests(tree)


def test_other_options_of_pip_change_a_package(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digests(tree)
    monkeypatch.setattr(packages, "_PIP_INSTALL", ("install", "--python-version", "3.14"))
    after = digests(tree)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_the_same_contents_are_the_same_bytes_at_any_time(tree: Path) -> None:
    first = [package.read_bytes() for package in packages.build(tree)]
    shutil.rmtree(tree / "build")
    for file in tree.rglob("*.py"):
        os.utime(file, (0, 0))
    assert [package.read_bytes() for package in packages.build(tree)] == first


def test_a_package_that_is_there_is_not_made_again(tree: Path) -> None:
    before = [package.stat().st_ino for package in packages.build(tree)]
    assert [package.stat().st_ino for package in packages.build(tree)] == before
    (tree / "dags" / "mwaa_migrator" / "merge.py").write_text("")
    functions, layer = packages.build(tree)
    assert functions.stat().st_ino != before[0]
    assert layer.stat().st_ino == before[1]


def test_what_pip_cannot_install_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tools.packages.subprocess.run",
        lambda command, **_: subprocess.CompletedProcess(command, 1, "", "no such release"),
    )
    with pytest.raises(packages.PackagingFailed, match=r"functions/requirements\.txt:\nno such release"):
        packages.build(tree)
    assert not (tree / packages.FUNCTIONS).exists()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions' package, unpacked."""
    folder = tmp_path_factory.mktemp("package")
    shutil.unpack_archive(packages.build()[0], folder)
    return folder


def test_a_package_is_small_and_brings_no_sdk(package: Path) -> None:
    size = sum(file.stat().st_size for file in package.rglob("*") if file.is_file())
    assert size <= 10 * 1000 * 1000
    assert not {"boto3", "botocore", "urllib3"} & {item.name for item in package.iterdir()}


def test_a_package_has_what_it_runs_and_stages(package: Path) -> None:
    for module in (ROOT / "functions").glob("*.py"):
        assert (package / module.name).is_file()
    names = ("plan/input.schema.json", "report/report.schema.json", "airflow/renamed_options.json", "report/page.html")
    for name in (*names, "logs/copy_logs.schema.json"):
        assert (package / "migration" / name).is_file()
    ours = {file.relative_to(ROOT / "dags") for file in (ROOT / "dags").rglob("*.py")}
    assert {file.relative_to(package / "dags") for file in (package / "dags").rglob("*.py")} == ours
    assert not list(package.rglob("__pycache__"))


def test_the_bill_of_materials_has_what_is_packaged(package: Path, tmp_path: Path) -> None:
    layer = tmp_path / "SomeLayer"
    (about,) = package.glob("jinja2-*.dist-info")
    shutil.copytree(about, layer / "python" / about.name)
    text = bill_of_materials.rendered(bill_of_materials.bill([package, layer]))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    told = json.loads(text)
    locked = set(
        re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "functions" / "requirements.txt").read_text(), re.MULTILINE)
    )
    assert {(item["name"], item["version"]) for item in told["components"]} == locked
    assert all(item["licenses"] and item["purl"] == item["bom-ref"] for item in told["components"])
    (jinja,) = (item for item in told["components"] if item["name"] == "jinja2")
    assert [held["value"] for held in jinja["properties"]] == sorted([package.name, "SomeLayer"])
    (needed,) = (item["dependsOn"] for item in told["dependencies"] if item["ref"] == jinja["bom-ref"])
    assert [ref.partition("@")[0] for ref in needed] == ["pkg:pypi/markupsafe"]


def test_a_layer_is_a_program_for_lambda_that_may_be_executed() -> None:
    with zipfile.ZipFile(packages.build()[1]) as layer:
        program = layer.getinfo("bin/ruff")
        assert program.external_attr >> 16 & 0o111 == 0o111
        # ELF, and for which machine: 183 is AArch64.
        head = layer.read(program)[:20]
        assert (head[:4], int.from_bytes(head[18:20], "little")) == (b"\x7fELF", 183)
        assert {name.split("/")[0] for name in layer.namelist()} == {"bin", "python", "requirements.txt"}


def test_the_layer_has_the_release_that_the_tests_run() -> None:
    locked = [
        re.search(r"^ruff==(\S+)", file.read_text(), re.MULTILINE)
        for file in (ROOT / "requirements" / "dev.txt", ROOT / "layers" / "ruff" / "requirements.txt")
    ]
    assert len({found[1] for found in locked if found}) == 1
