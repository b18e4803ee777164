"""A software bill of materials (CycloneDX) of what is packaged: `make build` writes build/sbom.json.

It is read from the packages themselves, so it says what is deployed and not what somebody meant to deploy. The AWS SDK
is Lambda's own and is in no package; what runs inside Airflow has no requirements.
"""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import packages

ROOT = Path(__file__).parent.parent
BILL = ROOT / "build" / "sbom.json"
#: Which packages have a component, a property each.
PACKAGED_IN = "mwaa-migrator:packaged-in"


def main() -> None:
    BILL.write_text(of_packages(packages.build(), datetime.now(UTC)), encoding="utf-8")


def of_packages(built: list[Path], made: datetime) -> str:
    """The bill of materials of packages (their zip files), as text; the same for the same ones and the same time."""
    with tempfile.TemporaryDirectory() as folder:
        unpacked = [Path(folder, package.stem) for package in built]
        for package, into in zip(built, unpacked, strict=True):
            shutil.unpack_archive(package, into)
        result = bill(unpacked)
    result.metadata.timestamp = made
    said = [made.isoformat(), *sorted(str(component.bom_ref.value) for component in result.components)]
    result.serial_number = uuid5(NAMESPACE_URL, " ".join(said))
    return rendered(result)


def bill(unpacked: Iterable[Path]) -> Bom:
    """The components of all packages (their folders), each once, with its version and licenses."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[tuple[str, str], Component] = {}
    needed: dict[str, list[str]] = {}
    for package in unpacked:
        # A layer's packages lie where Lambda puts them on its path.
        for folder in (package, package / "python"):
            for distribution in metadata.distributions(path=[str(folder)]):
                name = str(canonicalize_name(distribution.name))
                component = found.setdefault((name, distribution.version), _component(distribution))
                component.properties.add(Property(name=PACKAGED_IN, value=package.name))
                needed[name] = [Requirement(item).name for item in distribution.requires or []]
    application = Component(
        type=ComponentType.APPLICATION,
        name=project["name"],
        version=project["version"],
        licenses=[LicenseFactory().make_from_string(project["license"])],
        bom_ref=project["name"],
    )
    result = Bom(components=found.values())
    result.metadata.component = application
    by_name: dict[str, Component] = {name: component for (name, _), component in found.items()}
    result.register_dependency(application, by_name.values())
    for name, component in by_name.items():
        result.register_dependency(
            component, [by_name[other] for item in needed[name] if (other := canonicalize_name(item)) in by_name]
        )
    return result


def rendered(what: Bom) -> str:
    return make_outputter(what, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2) + "\n"


def _component(distribution: metadata.Distribution) -> Component:
    name = str(canonicalize_name(distribution.name))
    url = PackageURL("pypi", name=name, version=distribution.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=distribution.version,
        description=_field(distribution.metadata, "Summary"),
        purl=url,
        bom_ref=url.to_string(),
        licenses=list(_licenses(distribution.metadata)),
    )


def _field(about: metadata.PackageMetadata, name: str) -> str | None:
    return next(iter(about.get_all(name) or []), None)


def _licenses(about: metadata.PackageMetadata) -> Iterator[License]:
    """As an SPDX expression where a package has one (PEP 639), else as its classifiers name them, else in its words."""
    factory = LicenseFactory()
    if expression := _field(about, "License-Expression"):
        yield factory.make_from_string(expression)
        return
    classified = [item for item in about.get_all("Classifier") or [] if item.startswith("License ::")]
    names = [item.rpartition(" :: ")[2] for item in classified] or [_field(about, "License") or ""]
    for name in names:
        # Whole texts stand in this field of some packages; its first line is their name.
        if name.strip():
            yield factory.make_from_string(name.strip().splitlines()[0])


if __name__ == "__main__":
    main()
