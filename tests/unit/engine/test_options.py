"""The engine's options are those of the state machine's input, wherever both have them."""

from __future__ import annotations

from typing import Any

import pytest
from mwaa_migrator.cli import build_parser
from mwaa_migrator.options import EXPORT_OPTIONS, IMPORT_OPTIONS, VERIFY_OPTIONS, Option

from migration.airflow import runs
from migration.json_schema import problems_of
from migration.plan import migration_input

SCHEMA: dict[str, Any] = migration_input.schema()["properties"]["options"]["properties"]
OPTIONS = {**EXPORT_OPTIONS, **IMPORT_OPTIONS}

#: The state machine itself says which pause states an import leaves, at which version the target ends, to which one it
#: is upgraded after the import, which run of a DAG only looks or unpauses, which artifact is a base, which one a delta
#: follows, and whether the target has our plugin.
NOT_IN_THE_INPUT = {
    *("pauseState", "probe", "cutOver", "dagVersions", "targetVersion", "hopVersion", "wayIn"),
    *("asBase", "deltaOf"),
}
#: The state machine always says whether it quiesces. A DAG that somebody triggers by hand pauses nothing unless asked.
OTHER_DEFAULT = {"quiesce": False}
#: In the input an empty value stands for the engine's default, which is therefore not handed on.
EMPTY: tuple[Any, ...] = (None, [])

PROBES: list[Any] = [
    None, True, False, "", "a", "keep", "overwrite", "fail", "abandon", "wait", "source", [], ["dag_run"], ["nulls"],
    [1], {}, -1, 0, 1, 1.5, 16, 17, 30, 86400, 86401, 10**9,
]  # fmt: skip
#: What the engine takes beyond the input. A regular expression's length is limited by MWAA's CLI endpoint, and a
#: table's name by nothing.
WIDER = {"dags": [""]}


def test_the_input_has_every_option() -> None:
    assert set(OPTIONS) - NOT_IN_THE_INPUT <= set(SCHEMA)
    assert set(runs._EXPORT_OPTIONS) == set(EXPORT_OPTIONS) - NOT_IN_THE_INPUT
    assert set(runs._IMPORT_OPTIONS) == set(IMPORT_OPTIONS) - NOT_IN_THE_INPUT
    assert set(VERIFY_OPTIONS) <= set(IMPORT_OPTIONS)


@pytest.mark.parametrize("name", sorted(set(OPTIONS) - NOT_IN_THE_INPUT))
def test_defaults_and_allowed_values_are_those_of_the_input(name: str) -> None:
    option, published = OPTIONS[name], SCHEMA[name]
    if name in OTHER_DEFAULT:
        assert (option.default, published["default"]) == (OTHER_DEFAULT[name], not OTHER_DEFAULT[name])
    else:
        assert option.default == published["default"] or {repr(option.default), repr(published["default"])} == set(
            map(repr, EMPTY)
        )
    for value in [*PROBES, *published.get("enum", ())]:
        if value in EMPTY or value in WIDER.get(name, ()):
            continue
        assert option.accepts(value) == (not problems_of(value, published)), value


@pytest.mark.parametrize(("command", "options"), [("export", EXPORT_OPTIONS), ("import", IMPORT_OPTIONS)])
def test_the_command_line_has_the_same_defaults(command: str, options: dict[str, Option]) -> None:
    place = {"export": "--to", "import": "--from"}[command]
    arguments = vars(build_parser().parse_args([command, place, "somewhere"]))
    assert {name: arguments[name] for name in options} == {name: option.default for name, option in options.items()}
