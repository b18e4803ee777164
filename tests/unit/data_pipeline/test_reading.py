"""The forms of a definition, read into the same model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data_pipeline import reading
from data_pipeline.model import Parameter, Reference
from data_pipeline.problems import DefinitionRefused

OBJECTS: list[dict[str, Any]] = [
    {"id": "Default", "name": "Default", "scheduleType": "ondemand"},
    {
        "id": "Box",
        "name": "A box",
        "type": "Ec2Resource",
        "securityGroupIds": ["sg-1", "sg-2"],
        "associatePublicIpAddress": True,
    },
    {"id": "Run", "type": "ShellCommandActivity", "runsOn": {"ref": "Box"}, "command": "true"},
]


def api_form(objects: list[dict[str, Any]], *, capitals: bool = False) -> list[dict[str, Any]]:
    def key(name: str) -> str:
        return name[0].upper() + name[1:] if capitals else name

    def fields(item: dict[str, Any]) -> list[dict[str, str]]:
        pairs = [
            (name, value)
            for name, values in item.items()
            if name not in ("id", "name")
            for value in (values if isinstance(values, list) else [values])
        ]
        return [
            {key("key"): name, key("refValue"): value["ref"]}
            if isinstance(value, dict)
            else {key("key"): name, key("stringValue"): str(value).lower() if value is True else value}
            for name, value in pairs
        ]

    return [
        {key("id"): item["id"], key("name"): item.get("name", item["id"]), key("fields"): fields(item)}
        for item in objects
    ]


def written(directory: Path, name: str, document: Any) -> Path:
    file = directory / name
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def test_an_export_has_its_objects_parameters_and_values(tmp_path: Path) -> None:
    document = {
        "objects": OBJECTS,
        "parameters": [
            {"id": "myTable", "type": "String", "description": "a table", "default": "t"},
            {"id": "myList", "isArray": "true", "optional": "true", "allowedValues": ["a", "b"]},
            {"id": "*myPassword"},
        ],
        "values": {"myTable": "orders", "*myPassword": "x", "myOther": ["1", "2"]},
    }
    (found,) = reading.read([written(tmp_path, "nightly-definition.json", document)])
    assert found.name == "nightly"
    box = found.objects["Box"]
    assert (box.name, box.type) == ("A box", "Ec2Resource")
    assert box.texts("securityGroupIds") == ("sg-1", "sg-2")
    assert box.text("associatePublicIpAddress") == "true"
    assert found.objects["Run"].name == "Run"
    assert found.objects["Run"].fields["runsOn"] == (Reference("Box"),)
    assert found.parameters == {
        "myTable": Parameter("myTable", description="a table", values=("orders",)),
        "myList": Parameter("myList", is_array=True, is_optional=True, allowed=("a", "b")),
        "*myPassword": Parameter("*myPassword", values=("x",)),
        "myOther": Parameter("myOther", values=("1", "2")),
    }


@pytest.mark.parametrize(
    "document",
    [
        {"pipelineObjects": api_form(OBJECTS)},
        # A tool's mixture: the export's key over objects in the API's form.
        {"objects": api_form(OBJECTS)},
        {
            "Resources": {
                "P": {
                    "Type": "AWS::DataPipeline::Pipeline",
                    "Properties": {"PipelineObjects": api_form(OBJECTS, capitals=True)},
                }
            }
        },
    ],
)
def test_every_form_is_the_same_definition(tmp_path: Path, document: dict[str, Any]) -> None:
    (export,) = reading.read([written(tmp_path, "export.json", {"objects": OBJECTS})])
    (found,) = reading.read([written(tmp_path, "other.json", document)])
    assert found.objects == export.objects


def test_the_apis_parameters(tmp_path: Path) -> None:
    document = {
        "pipelineObjects": api_form(OBJECTS),
        "parameterObjects": [
            {
                "id": "myN",
                "attributes": [{"key": "type", "stringValue": "Integer"}, {"key": "default", "stringValue": "1"}],
            }
        ],
        "parameterValues": [{"id": "myN", "stringValue": "7"}],
    }
    (found,) = reading.read([written(tmp_path, "a.json", document)])
    assert found.parameters == {"myN": Parameter("myN", "Integer", values=("7",))}


def test_three_files_are_one_definition_in_any_order(tmp_path: Path) -> None:
    files = [
        written(tmp_path, "values.json", {"values": {"myA": "1", "myEmpty": ""}}),
        written(tmp_path, "definition.json", {"objects": OBJECTS, "parameters": []}),
        written(tmp_path, "parameters.json", {"parameters": [{"id": "myA"}, {"id": "myEmpty"}]}),
    ]
    (found,) = reading.read(files)
    assert found.parameters == {"myA": Parameter("myA", values=("1",)), "myEmpty": Parameter("myEmpty")}


def test_parameters_belong_to_the_definition_before_them(tmp_path: Path) -> None:
    files = [
        written(tmp_path, "one.json", {"objects": OBJECTS}),
        written(tmp_path, "two.json", {"objects": OBJECTS}),
        written(tmp_path, "of-two.json", {"values": {"myA": "1"}}),
    ]
    one, two = reading.read(files)
    assert (list(one.parameters), list(two.parameters)) == ([], ["myA"])


def test_a_repeated_key_is_a_list(tmp_path: Path) -> None:
    text = '{"objects": [{"id": "A", "type": "ShellCommandActivity", "scriptArgument": "1", "scriptArgument": "2",}]}'
    (found,) = reading.read([written(tmp_path, "a.json", text)])
    assert found.objects["A"].texts("scriptArgument") == ("1", "2")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"StartAt": "A", "States": {}}, "a state machine of Step Functions"),
        ({"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}, "a CloudFormation template without"),
        ({"swagger": "2.0", "paths": {}}, "its keys: paths, swagger"),
        ([1], "a JSON list"),
        ("not json", "it is no JSON"),
        ({"values": {"myA": "1"}}, "no objects"),
        ({"objects": []}, "it has no object"),
        ({"objects": [{"name": "nameless"}]}, "object 1.id: it has no id"),
        ({"objects": [{"id": "A"}, {"id": "A"}]}, "A.id: two objects have this id"),
    ],
)
def test_refuses_with_the_reason(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        reading.read([written(tmp_path, "a.json", document)])
    assert message in str(refused.value)
