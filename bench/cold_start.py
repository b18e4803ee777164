"""The cold start of each function: what it costs to import its module, compared with importing boto3 alone.

Everything that a function does before its first event happens in that import. It runs from the package that `sam
build` makes, on the runtime's own Python and SDK.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from bench.results import Result
from local.installations import lambda_runtime
from local.installations.lambda_packages import unpack
from local.rehearsal import application

#: How often each module is imported; the median counts.
RUNS = 10

MEGABYTE = 1024 * 1024

_IMPORT = """
import sys, time
begun = time.perf_counter()
__import__(sys.argv[1])
sys.stdout.write(str(time.perf_counter() - begun))
"""


@dataclass(frozen=True)
class Package:
    """A function as it is deployed: the folder of its package, and the name of its module."""

    module: str
    directory: Path
    runtime: str
    variables: dict[str, str]

    @property
    def bytes(self) -> int:
        """Unpacked, without the bytecode that Python has added since."""
        files = (file for file in self.directory.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
        return sum(file.stat().st_size for file in files)


def measure(directory: Path) -> list[Result]:
    """Every function's cold start as a ratio to importing boto3, and the largest package.

    Args:
        directory: where a package is copied to, to be imported as Lambda does when it has not been compiled: there
            packages cannot be written to.
    """
    packages = _packages()
    copied = shutil.copytree(
        packages[0].directory, directory / "uncompiled", ignore=shutil.ignore_patterns("__pycache__")
    )
    uncompiled = replace(packages[0], directory=copied, variables={**packages[0].variables, **_READ_ONLY})
    *seconds, of_uncompiled, boto3 = _import_seconds([*packages, uncompiled, replace(packages[0], module="boto3")])
    results = [Result("`import boto3`", boto3 * 1000, "ms")]
    for package, measured in zip(packages, seconds, strict=True):
        results.append(Result(f"Cold start of `{package.module}` / `import boto3`", measured / boto3, "ratio", 2.0))
    name = f"Cold start of `{uncompiled.module}`, nothing of its package compiled / `import boto3`"
    results.append(Result(name, of_uncompiled / boto3, "ratio"))
    largest = max(package.bytes for package in packages) / MEGABYTE
    results.append(Result("Largest package of a function, unpacked, without the SDK", largest, "MB", 10))
    return results


_READ_ONLY = {"PYTHONDONTWRITEBYTECODE": "1"}


def _packages() -> list[Package]:
    """The template's functions, built.

    Raises:
        tools.packages.PackagingFailed
    """
    built = application.build()
    template = yaml_parse(built.read_text())
    common = template["Globals"]["Function"]
    packages = []
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = {**common, **resource["Properties"]}
            packages.append(
                Package(
                    module=properties["Handler"].rpartition(".")[0],
                    directory=unpack(built.parent / properties["CodeUri"]),
                    runtime=properties["Runtime"],
                    variables={**_variables(common), **_variables(resource["Properties"])},
                )
            )
    return packages


def _variables(properties: dict[str, Any]) -> dict[str, str]:
    """The environment variables, with placeholders for what only a deployment knows."""
    variables = properties.get("Environment", {}).get("Variables", {})
    return {name: value if isinstance(value, str) else "deployed" for name, value in variables.items()}


def _import_seconds(packages: Sequence[Package]) -> list[float]:
    """The median seconds that importing each package's module takes, in turns, each time in a new process.

    The first of each, which compiles what is not compiled and reads what is not in memory, does not count.
    """
    (runtime,) = {package.runtime for package in packages}
    python = lambda_runtime.install(runtime)
    measured = [[_seconds(python, package) for package in packages] for _ in range(RUNS + 1)]
    return [statistics.median(seconds) for seconds in zip(*measured[1:], strict=True)]


def _seconds(python: Path, package: Package) -> float:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(package.directory),
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        # This tells the X-Ray SDK that it runs in Lambda; elsewhere its import makes two clients that Lambda never has.
        "LAMBDA_TASK_ROOT": str(package.directory),
        **package.variables,
    }
    done = subprocess.run(
        [str(python), "-c", _IMPORT, package.module], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout)
