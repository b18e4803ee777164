"""A jar as users have them: it runs a script that lies in S3."""

from __future__ import annotations

import zipfile
from pathlib import Path

from pipeline_runs.hadoop.primary_node import PrimaryNode

_SOURCE = Path(__file__).parent / "jars" / "ScriptRunner.java"


def script_runner(node: PrimaryNode, folder: Path) -> bytes:
    """The jar, compiled in a folder."""
    classes = node.compile(_SOURCE, into=folder)
    with zipfile.ZipFile(folder / "runner.jar", "w") as file:
        file.writestr("META-INF/MANIFEST.MF", "Main-Class: ScriptRunner\n")
        for name in classes:
            file.write(folder / name, name)
    return (folder / "runner.jar").read_bytes()
