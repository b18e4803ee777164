"""The file that says what a DAG's run is given, and what it must do.

It is TOML, a table for each DAG:

    date               the logical date
    variables, params, connections
                       texts; $subnet, $group, $image and $postgres (host:port) in them stand for what is there
    sql                statements before the run, on the database that stands for Redshift and every other
    objects            what is in S3 before it: texts by their URI
    jars               where in S3 a jar lies that runs the script of its first argument
    dynamodb           items by their table, as the API has them; the key is `id`
    storage_handlers   classes by whose name Hive reaches DynamoDB
    instance_profiles  what there must be of them
    image, web         scripts that instances have from the start; what `curl -O` fetches, by URL
    queries            what to ask the database after the run
    expected           the lines that the run must print, if given
    in_any_order       true where tasks run side by side: then the lines may come in any order
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Run:
    """What one run is given, and what it must print."""

    dag_id: str
    date: str
    variables: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    connections: Mapping[str, str] = field(default_factory=dict)
    sql: Sequence[str] = ()
    objects: Mapping[str, str] = field(default_factory=dict)
    jars: Sequence[str] = ()
    dynamodb: Mapping[str, list[Any]] = field(default_factory=dict)
    storage_handlers: Sequence[str] = ()
    instance_profiles: Sequence[str] = ()
    image: Mapping[str, str] = field(default_factory=dict)
    web: Mapping[str, str] = field(default_factory=dict)
    queries: Sequence[str] = ()
    expected: Sequence[str] = ()
    in_any_order: bool = False


def read_runs(file: Path) -> list[Run]:
    """The runs that a file describes, in its order."""
    found: dict[str, dict[str, Any]] = tomllib.loads(file.read_text(encoding="utf-8"))
    return [Run(dag_id, **given) for dag_id, given in found.items()]
