from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from migration.json_schema import problems_of
from migration.plan.migration_input import digest, migration_id, problems, schema, with_defaults

EVENTS = Path(__file__).parents[4] / "events"
SMALLEST: dict[str, Any] = {
    "source": {"environment": "prod-2-10"},
    "target": {"environment": "prod-3", "airflowVersion": "3.2.1"},
}


def changed(**parts: Any) -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(json.dumps(SMALLEST))
    return copied | parts


def test_the_schema_is_json_schema() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("file", sorted(EVENTS.glob("*.json")), ids=lambda file: file.stem)
def test_each_example_is_valid(file: Path) -> None:
    example = json.loads(file.read_text())
    if file.stem.startswith("scheduled-"):
        # Each of these rehearsals gets a target of its own name.
        example["target"]["environment"] = "derived"
    assert problems(example) == []


def test_all_faults_are_told_at_once() -> None:
    found = problems(
        {"source": {"environment": 1}, "target": {}, "mode": "x", "options": {"pollSeconds": 0, "nope": 1}}
    )
    assert [problem.path for problem in found] == [
        "source.environment",
        "target.environment",
        "target.airflowVersion",
        "mode",
        "options.pollSeconds",
        "options.nope",
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 20) | st.floats(-2, 20) | st.sampled_from(["migrate", "a", "3.2.1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["days", "x"]), inner, max_size=2),
    max_leaves=4,
)


def documents() -> st.SearchStrategy[Any]:
    """Inputs near the schema: known and unknown fields with right and wrong values."""

    def node(content: dict[str, Any]) -> st.SearchStrategy[Any]:
        good = st.just(content["default"]) if "default" in content else values
        if "properties" not in content:
            return good | values
        fields = {name: node(child) for name, child in content["properties"].items()} | {"unknown": values}
        return st.fixed_dictionaries({}, optional=fields) | values

    return node(schema())


@settings(max_examples=300, deadline=None)
@given(documents())
def test_the_checker_agrees_with_the_reference_implementation(document: Any) -> None:
    reference = Draft202012Validator(schema())
    judged = {".".join(str(part) for part in error.absolute_path) for error in reference.iter_errors(document)}
    ours = {problem.path for problem in problems_of(document, schema())}
    assert bool(ours) == bool(judged)


def test_defaults_come_from_the_schema() -> None:
    complete = with_defaults(SMALLEST)
    options = schema()["properties"]["options"]["properties"]
    assert complete["mode"] == "migrate"
    assert complete["target"]["overrides"] == {}
    logs = options["logs"]["properties"]
    assert complete["options"]["logs"] == {name: option["default"] for name, option in logs.items()}
    assert {name: complete["options"][name] for name in options if name != "logs"} == {
        name: option["default"] for name, option in options.items() if name != "logs"
    }
    assert "options" not in SMALLEST


def test_the_same_input_is_the_same_migration_whatever_the_execution() -> None:
    one, other = with_defaults(SMALLEST), with_defaults(changed(options={"pollSeconds": 5, "xcoms": True}))
    assert migration_id(one, "first") == migration_id(other, "second")
    assert digest(one) == digest(other)
    assert migration_id(one, "first").startswith("prod-3-")


@pytest.mark.parametrize(
    "other",
    [changed(mode="rehearse"), changed(options={"xcoms": False}), changed(source={"environment": "prod-2-9"})],
    ids=["mode", "option", "source"],
)
def test_another_input_is_another_migration(other: dict[str, Any]) -> None:
    assert migration_id(with_defaults(SMALLEST), "e") != migration_id(with_defaults(other), "e")


def test_each_rehearsal_is_a_new_one() -> None:
    complete = with_defaults(changed(mode="rehearse"))
    assert migration_id(complete, "first") != migration_id(complete, "second")
    assert migration_id(complete, "first") == migration_id(complete, "first")


def test_a_given_id_is_taken() -> None:
    assert migration_id(with_defaults(changed(migrationId="sunday-night")), "e") == "sunday-night"


@given(st.from_regex(r"[a-zA-Z][0-9a-zA-Z_-]{0,79}", fullmatch=True))
def test_an_id_made_from_any_name_fits_the_engine_with_any_attempt(name: str) -> None:
    complete = with_defaults(changed(target={"environment": name, "airflowVersion": "3.2.1"}))
    found = migration_id(complete, "e")
    assert len(f"{found}-9999") <= 40
    assert found[0].isalnum()
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
