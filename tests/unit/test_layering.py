"""Which packages know which: `local` is built in layers, and nothing below knows what stands on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.installations.folders import ROOT

#: Each package with those of this repository that its modules may import, besides itself.
LAYERS = {
    "local/installations": (),
    "local/aws": ("local.installations",),
    "local/mwaa": ("local.aws", "local.installations"),
    "local/rehearsal": (
        "local.mwaa",
        "local.aws",
        "local.installations",
        "migration",
        "mwaa_migrator_cli",
        "tools.packages",
    ),
    "sources": ("local.mwaa", "local.aws", "local.installations"),
    "matrix": ("sources", "local.installations", "migration.airflow"),
    "chaos": ("sources", "local", "migration.airflow"),
    "bench": ("local", "migration", "functions", "tools.packages"),
}
OURS = ("local", "sources", "matrix", "chaos", "bench", "tests", "tools", "migration", "mwaa_migrator_cli")
#: What runs inside an Airflow or a function finds its modules in another place.
ELSEWHERE = ("shim", "dags", "demo_dags")


def modules(package: str) -> Iterator[Path]:
    for file in sorted((ROOT / package).rglob("*.py")):
        if not set(file.relative_to(ROOT / package).parts) & {*ELSEWHERE}:
            yield file


def imported(file: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize("package", LAYERS)
def test_a_package_imports_only_those_below_it(package: str) -> None:
    allowed = (package.replace("/", "."), *LAYERS[package])
    found = {
        f"{file.relative_to(ROOT)} imports {module}"
        for file in modules(package)
        for module in imported(file)
        if any(within(module, ours) for ours in OURS) and not any(within(module, one) for one in allowed)
    }
    assert found == set()


@pytest.mark.parametrize("word", ["mwaa_migrator", "mwaa-migrator", "Migrator", "migration"])
def test_the_local_aws_does_not_know_what_it_runs(word: str) -> None:
    found = [file.name for file in modules("local/aws") if word in file.read_text(encoding="utf-8")]
    assert found == []
