from __future__ import annotations

from typing import Any

import pytest
from mwaa_migrator.dag_tasks.conf import artifact_url, read_options
from mwaa_migrator.errors import InvalidArguments
from mwaa_migrator.options import EXPORT_OPTIONS, IMPORT_OPTIONS

ARTIFACT = "s3://bucket/prefix/first"


def test_defaults() -> None:
    conf = {"artifact": ARTIFACT + "/"}
    assert artifact_url(conf) == ARTIFACT
    assert read_options(conf, EXPORT_OPTIONS) == {
        "historyDays": None,
        "dags": ".*",
        "xcoms": True,
        "tables": None,
        "excludeTables": [],
        "jobs": None,
        "skipUndecryptable": False,
        "setAside": [],
        "targetVersion": None,
        "probe": False,
        "asBase": False,
        "deltaOf": None,
        "quiesce": False,
        "drainSeconds": 900,
        "drainPolicy": "fail",
    }
    assert read_options({"artifact": ARTIFACT, "options": None}, IMPORT_OPTIONS) == {
        "onConflict": "keep",
        "pauseState": "keep",
        "pickledXComs": "convert",
        "jobs": None,
        "probe": False,
        "cutOver": False,
        "dagVersions": False,
        "hopVersion": None,
        "wayIn": "worker",
    }


@pytest.mark.parametrize(
    "option",
    [
        {"historyDays": 30},
        {"historyDays": None},
        {"dags": "team_a_.*"},
        {"tables": ["dag_run", "task_instance"]},
        {"drainSeconds": 0},
        {"drainPolicy": "wait"},
        {"jobs": 16},
        {"setAside": ["duplicates", "values"]},
        {"targetVersion": "3.2.1"},
    ],
)
def test_options_that_are_given(option: dict[str, Any]) -> None:
    assert read_options({"artifact": ARTIFACT, "options": option}, EXPORT_OPTIONS).items() >= option.items()


@pytest.mark.parametrize(
    "option",
    [
        {"historyDays": 0},
        {"historyDays": True},
        {"historyDays": 1.5},
        {"historyDays": "30"},
        {"dags": None},
        {"xcoms": "no"},
        {"tables": "dag_run"},
        {"tables": [1]},
        {"excludeTables": None},
        {"jobs": 17},
        {"skipUndecryptable": 1},
        {"setAside": ["rows"]},
        {"targetVersion": "3"},
        {"quiesce": "true"},
        {"drainSeconds": -1},
        {"drainSeconds": False},
        {"drainPolicy": "kill"},
        {"drainPolicy": ["fail"]},
        {"onConflict": "keep"},
        {"historydays": 1},
    ],
)
def test_options_that_are_wrong(option: dict[str, Any]) -> None:
    (name,) = option
    with pytest.raises(InvalidArguments, match=name):
        read_options({"artifact": ARTIFACT, "options": option}, EXPORT_OPTIONS)


@pytest.mark.parametrize("conf", [None, {}, {"artifact": ""}, {"artifact": 1}, "artifact", [], {"options": {}}])
def test_no_artifact(conf: Any) -> None:
    with pytest.raises(InvalidArguments, match="artifact"):
        read_options(conf, IMPORT_OPTIONS)


@pytest.mark.parametrize("options", ["keep", ["keep"], 1])
def test_options_that_are_no_object(options: Any) -> None:
    with pytest.raises(InvalidArguments, match="options"):
        read_options({"artifact": ARTIFACT, "options": options}, IMPORT_OPTIONS)


def test_all_faults_are_told_at_once() -> None:
    conf = {"options": {"onConflict": "merge", "pauseState": 1, "speed": "high"}}
    with pytest.raises(InvalidArguments) as raised:
        read_options(conf, IMPORT_OPTIONS)
    for fault in ("artifact", "onConflict", "pauseState", "speed", '"merge"'):
        assert fault in str(raised.value)
