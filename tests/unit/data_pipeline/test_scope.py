"""What names in expressions mean, and how texts with them are written as templates."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest

from data_pipeline import checking, inheritance
from data_pipeline.expressions import syntax
from data_pipeline.expressions.scope import NotEvaluated, Runtime, Scope
from data_pipeline.expressions.values import Deferred, Text

from .definitions import SHELL, definition

OBJECTS: list[dict[str, Any]] = [
    {
        "id": "In",
        "name": "the input",
        "type": "S3DataNode",
        "directoryPath": "#{myRoot}/#{@scheduledStartTime}",
        "myTable": "#{name}",
    },
    {"id": "In2", "type": "S3DataNode", "directoryPath": "s3://b/two"},
    {"id": "Alarm", "type": "SnsAlarm", "topicArn": "arn", "subject": "s", "message": "m"},
    SHELL
    | {
        "input": [{"ref": "In"}],
        "onFail": {"ref": "Alarm"},
        "myList": ["one", "two"],
        "myOther": ["#{myList}", "three"],
    },
]
PARAMETERS = [
    {"id": "myRoot"},
    {"id": "myCount", "type": "Integer"},
    {"id": "*myPassword"},
    {"id": "myOpen"},
    {"id": "myMaybe", "optional": "true"},
    {"id": "myMany", "isArray": "true"},
]
VALUES = {"myRoot": "s3://b", "myCount": "2", "*myPassword": "tops3cret", "myMany": ["a", "b"]}
RUN = {
    "scheduledStartTime": Deferred("data_interval_start", "datetime"),
    "errorMessage": Deferred("exception"),
}


def texts(raw: str, *, at: str = "Hello", node: str | None = None) -> tuple[Text, ...]:
    found, _ = inheritance.resolve(definition(*OBJECTS, parameters=PARAMETERS, values=VALUES))
    variables = {"*myPassword": "etl_secret_my_password", "myOpen": "etl_my_open"}
    return Scope(found, found.objects[at], Runtime(RUN, variables), found.objects[node] if node else None).texts(raw)


@pytest.mark.parametrize(
    ("raw", "template"),
    [
        ("plain", "plain"),
        ("#{id} is #{name}", "Hello is Hello"),
        ("#{parent.@id}", "Hello"),
        ("#{myRoot}/x", "{{ params.myRoot }}/x"),
        ("#{*myPassword}", "{{ var.value.etl_secret_my_password }}"),
        ("#{myPassword}", "{{ var.value.etl_secret_my_password }}"),
        ("#{myOpen}", "{{ var.value.etl_my_open }}"),
        ("#{@scheduledStartTime}", "{{ data_interval_start.strftime('%Y-%m-%dT%H:%M:%S') }}"),
        # Two deep: the input's field, and what that is made of.
        ("#{input.directoryPath}/", "{{ params.myRoot }}/{{ data_interval_start.strftime('%Y-%m-%dT%H:%M:%S') }}/"),
        ("#{input.myTable}", "the input"),
        ("#{input.DIRECTORYPATH}", "{{ params.myRoot }}/{{ data_interval_start.strftime('%Y-%m-%dT%H:%M:%S') }}"),
        ("#{input}", "In"),
        ("#{'t_' + format(@scheduledStartTime, 'YY')}", "t_{{ data_interval_start.strftime('%y') }}"),
        (
            "#{'in ' + input.directoryPath}",
            "in {{ params.myRoot }}/{{ data_interval_start.strftime('%Y-%m-%dT%H:%M:%S') }}",
        ),
        ("#{myCount + 1}", "3"),
        ("${INPUT1} {a}", "${INPUT1} {a}"),
        # What only looks like Jinja.
        ("${#list[@]} {{x}} {% y %}", "${{ '{#' }}list[@]} {{ '{{' }}x}} {{ '{%' }} y %}"),
        ("{#{myRoot}}", "{{ '{' }}{{ params.myRoot }}}"),
    ],
)
def test_a_text_as_a_template(raw: str, template: str) -> None:
    (text,) = texts(raw)
    assert text.jinja == template


@pytest.mark.parametrize("raw", ["${#list[@]} {{x}} {% y %} {# z #}", "{", "a{{'b'}}", "{{{"])
def test_what_looks_like_jinja_comes_out_as_it_went_in(raw: str) -> None:
    (text,) = texts(raw)
    assert jinja2.Environment(autoescape=False).from_string(text.jinja).render() == raw  # nosec B701: shell, not HTML


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("#{'this is ' + myList}", ["this is one", "this is two"]),
        ("#{myOther}", ["one", "two", "three"]),
        ("<#{myMany}>", ["<a>", "<b>"]),
        ("#{myMaybe}", []),
        ("#{myList}#{myMany}", ["onea", "oneb", "twoa", "twob"]),
    ],
)
def test_lists_are_flattened(raw: str, expected: list[str]) -> None:
    assert [text.fixed for text in texts(raw)] == expected


def test_node_is_what_refers_to_an_alarm() -> None:
    (text,) = texts(
        "#{node.name} #{node.input.name} #{node.@scheduledStartTime}: #{node.errorMessage}", at="Alarm", node="Hello"
    )
    assert text.jinja == ("Hello the input {{ data_interval_start.strftime('%Y-%m-%dT%H:%M:%S') }}: {{ exception }}")


@pytest.mark.parametrize("raw", ["#{node.name}", "#{@missing}", "#{input.nothing}", "#{nothing.else}", "#{command.x}"])
def test_refuses_what_names_nothing(raw: str) -> None:
    with pytest.raises(NotEvaluated):
        texts(raw)


def test_a_secret_is_known_as_one() -> None:
    (text,) = texts("a#{'x' + *myPassword}")
    assert text.secrets == {"etl_secret_my_password"}
    assert text.fixed is None


@pytest.mark.parametrize(
    ("raw", "quoted"),
    [
        ("plain", "plain"),
        ("two words", "'two words'"),
        ("it's #{myRoot}", "'it'\\''s {{ params.myRoot }}'"),
        ("", "''"),
    ],
)
def test_a_word_for_the_shell(raw: str, quoted: str) -> None:
    text = texts(raw)[0] if raw else Text(())
    assert text.shell == quoted


def test_splits_at_separators_of_the_literal_parts() -> None:
    (text,) = texts("a, #{myRoot},b\\,c,")
    assert [part.stripped().jinja for part in text.split(",", "\\")] == ["a", "{{ params.myRoot }}", "b,c", ""]


@pytest.mark.parametrize(
    "text", ["#{", "#{a +}", "#{format(}", "#{a b}", "#{}", "#{a..b}", "#{%}", "#{'a}", "#{a.(b)}", "#{(a}"]
)
def test_refuses_what_does_not_parse(text: str) -> None:
    with pytest.raises(syntax.NotAnExpression):
        syntax.parse_text(text)


def test_a_brace_in_a_string_does_not_close_an_expression() -> None:
    assert syntax.parse_text("#{'}'}") == (syntax.Literal("}"),)


def test_the_other_spelling_of_a_call() -> None:
    assert syntax.parse("@scheduledStartTime.format('YYYY')") == syntax.parse("format(@scheduledStartTime, 'YYYY')")


def test_parameters_without_value_read_variables() -> None:
    found = definition(*OBJECTS, parameters=PARAMETERS, values=VALUES)
    assert checking.stand_ins(found) == {"*myPassword": "myPassword", "myOpen": "myOpen"}
