"""Who may import whom, in the whole repository: no circles, and each part only what it may know of."""

from __future__ import annotations

import graphlib
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
# The folders `functions` and `dags` are named too, for the modules that lie there without a package.
FUNCTIONS, DAGS, COMMAND_LINE = ("functions", "migration"), ("dags", "mwaa_migrator"), ("mwaa_migrator_cli",)
DATA_PIPELINE = ("data_pipeline",)
AROUND = ("local", "sources", "matrix", "chaos", "bench", "pipeline_runs", "tests", "tools")
# What no module of the product may import, directly or by way of others.
FORBIDDEN = {
    FUNCTIONS: (*DAGS, *COMMAND_LINE, *DATA_PIPELINE, *AROUND),
    DAGS: (*FUNCTIONS, *COMMAND_LINE, *DATA_PIPELINE, *AROUND),
    COMMAND_LINE: (*DAGS, *AROUND),
    DATA_PIPELINE: (*FUNCTIONS, *DAGS, *COMMAND_LINE, *AROUND),
}
# The functions' packages, the uppermost first: each imports from those below it alone, and none beside it.
LAYERS = (
    ("cleanup", "report"),
    ("checks", "logs", "plan"),
    ("environments",),
    ("airflow",),
    ("exchange",),
    ("state",),
    ("observability",),
    ("aws",),
    ("errors", "failure", "model", "phase_names", "times", "wording", "json_schema", "settings", "waiting"),
)
# The engine's packages, in the same way.
ENGINE_LAYERS = (
    ("__main__",),
    ("cli",),
    ("agent",),
    ("dag_tasks",),
    ("in_scheduler",),
    ("verify", "result_text"),
    ("merge",),
    ("comparison",),
    ("other_databases",),
    ("scratch", "export"),
    ("mending",),
    ("copying",),
    ("artifact",),
    ("this_airflow",),
    ("airflow_schema",),
    ("postgres",),
    ("errors", "options", "progress", "child_process", "waiting", "wording"),
)
# What is around the product: each package with all that it may import besides itself.
BELOW = {
    "local.installations": (),
    "local.aws": ("local.installations",),
    "local.mwaa": ("local.aws", "local.installations"),
    "local.rehearsal": ("local", "migration", "mwaa_migrator_cli", "tools.packages"),
    "sources": ("local.mwaa", "local.aws", "local.installations"),
    "matrix": ("sources", "local.installations", "migration.airflow"),
    "chaos": ("sources", "local", "migration.airflow"),
    "bench": ("local", "migration", "functions", "tools.packages"),
    "pipeline_runs": ("local.aws", "local.installations", "data_pipeline"),
}


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Every import of a module by another, those for type checking and inside functions among them."""
    path = sys.path[:]
    sys.path[:0] = [str(ROOT), str(ROOT / "functions"), str(ROOT / "dags")]
    try:
        graph = grimp.build_graph(*FUNCTIONS, *DAGS, *COMMAND_LINE, *DATA_PIPELINE, *AROUND, cache_dir=None)
    finally:
        sys.path[:] = path
    for folder, package in (FUNCTIONS, DAGS):
        # Found twice: below its folder and by its own name.
        for module in {f"{folder}.{package}", *graph.find_descendants(f"{folder}.{package}")}:
            graph.remove_module(module)
    return graph


def require_no_circle(imports: grimp.ImportGraph) -> int:
    """Returns how many modules were looked at; raises CycleError with the modules of a circle."""
    graph = {module: imports.find_modules_directly_imported_by(module) for module in imports.modules}
    return len(list(graphlib.TopologicalSorter(graph).static_order()))


def test_there_is_no_circle(imports: grimp.ImportGraph) -> None:
    assert require_no_circle(imports) == len(imports.modules)


def test_a_circle_is_found() -> None:
    graph = grimp.ImportGraph()
    for module in ("a", "b", "c"):
        graph.add_module(module)
    for importer, imported in (("a", "b"), ("b", "c"), ("c", "a")):
        graph.add_import(importer=importer, imported=imported)
    with pytest.raises(graphlib.CycleError):
        require_no_circle(graph)


@pytest.mark.parametrize("parts", FORBIDDEN, ids=lambda parts: parts[0])
def test_a_part_knows_nothing_of_those_that_build_on_it(imports: grimp.ImportGraph, parts: tuple[str, ...]) -> None:
    chains = [
        chain
        for part in parts
        for other in FORBIDDEN[parts]
        for chain in imports.find_shortest_chains(importer=part, imported=other, as_packages=True)
    ]
    assert chains == []


@pytest.mark.parametrize(("package", "layers"), [("migration", LAYERS), ("mwaa_migrator", ENGINE_LAYERS)])
def test_the_packages_are_layers(imports: grimp.ImportGraph, package: str, layers: tuple[tuple[str, ...], ...]) -> None:
    known = {name for layer in layers for name in layer}
    assert {module.rsplit(".", 1)[-1] for module in imports.find_children(package)} == known
    illegal = imports.find_illegal_dependencies_for_layers(
        layers=[grimp.Layer(*layer) for layer in layers], containers={package}
    )
    assert illegal == set()


@pytest.mark.parametrize("package", BELOW)
def test_a_package_around_the_product_imports_only_those_below_it(imports: grimp.ImportGraph, package: str) -> None:
    allowed = (package, *BELOW[package])
    found = {
        f"{module} imports {imported}"
        for module in {package, *imports.find_descendants(package)}
        for imported in imports.find_modules_directly_imported_by(module)
        if not any(imported == one or imported.startswith(f"{one}.") for one in allowed)
    }
    assert found == set()


@pytest.mark.parametrize("word", ["mwaa_migrator", "mwaa-migrator", "Migrator", "migration"])
def test_the_local_aws_does_not_know_what_it_runs(word: str) -> None:
    files = sorted((ROOT / "local" / "aws").rglob("*.py"))
    assert [file.name for file in files if "shim" not in file.parts and word in file.read_text(encoding="utf-8")] == []
