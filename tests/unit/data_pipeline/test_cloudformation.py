"""Pipelines in CloudFormation templates, and the functions in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_pipeline import reading
from data_pipeline.model import Definition, Parameter
from data_pipeline.problems import DefinitionRefused

TEMPLATE = """
Parameters:
  Bucket: {Type: String, Default: data}
  Table: {Type: String, Description: which table}
  Password: {Type: String, NoEcho: true, Default: hunter2hunter2}
  Stage: {Type: String, Default: prod}
Mappings:
  Sizes: {prod: {type: m5.xlarge}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsOther: !Not [!Condition IsProd]
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Nightly:
    Type: AWS::DataPipeline::Pipeline
    Properties:
      Name: !Sub nightly-${Stage}
      Description: copies
      PipelineObjects:
        - Id: Default
          Name: Default
          Fields:
            - {Key: scheduleType, StringValue: ondemand}
            - {Key: pipelineLogUri, StringValue: !Join ["/", ["s3:/", !Ref Bucket, logs]]}
        - Id: Run
          Name: Run
          Fields:
            - {Key: type, StringValue: ShellCommandActivity}
            - {Key: workerGroup, StringValue: !FindInMap [Sizes, !Ref Stage, type]}
            - {Key: command, StringValue: !Sub "echo ${Table} ${!literal} ${Topic.TopicName} #{myA}"}
            - {Key: stdout, StringValue: !If [IsOther, a, !Select [1, !Split [",", "x,y"]]]}
            - !If [IsOther, {Key: stderr, StringValue: z}, !Ref AWS::NoValue]
            - {Key: scriptArgument, StringValue: !Ref Password}
            - {Key: scriptArgument, StringValue: {"Fn::ImportValue": "net:subnet"}}
            - {Key: scriptArgument, StringValue: !Ref AWS::Region}
            - {Key: onFail, RefValue: Run}
      ParameterObjects:
        - {Id: myA, Attributes: [{Key: type, StringValue: String}]}
      ParameterValues:
        - {Id: myA, StringValue: 2024-01-01}
"""


def read(directory: Path, text: str, name: str = "template.yaml") -> list[Definition]:
    file = directory / name
    file.write_text(text)
    return reading.read([file])


def test_functions_become_values_or_parameters(tmp_path: Path) -> None:
    (found,) = read(tmp_path, TEMPLATE)
    run = found.objects["Run"]
    assert (found.name, found.description) == ("nightly-prod", "copies")
    assert found.objects["Default"].text("pipelineLogUri") == "s3://data/logs"
    assert run.text("workerGroup") == "m5.xlarge"
    assert run.text("command") == "echo #{Table} ${literal} #{Topic_TopicName} #{myA}"
    assert run.text("stdout") == "y"
    assert "stderr" not in run.fields
    assert run.texts("scriptArgument") == ("#{*Password}", "#{net_subnet}", "#{AWS_Region}")
    assert found.parameters == {
        "myA": Parameter("myA", values=("2024-01-01",)),
        "Table": Parameter("Table", description="which table"),
        "Topic_TopicName": Parameter(
            "Topic_TopicName", description="The attribute TopicName of the stack's resource Topic."
        ),
        "*Password": Parameter("*Password", description="The stack's parameter Password."),
        "net_subnet": Parameter("net_subnet", description="The value that another stack exports as net:subnet."),
        "AWS_Region": Parameter("AWS_Region", description="The stack's pseudo parameter AWS::Region."),
    }


def test_a_secret_default_of_the_template_is_left_out(tmp_path: Path) -> None:
    assert "hunter2" not in repr(read(tmp_path, TEMPLATE))


def test_two_pipelines_in_a_template(tmp_path: Path) -> None:
    resource = '{"Type": "AWS::DataPipeline::Pipeline", "Properties": {"PipelineObjects": [{"Id": "Default"}]}}'
    found = read(tmp_path, f'{{"Resources": {{"A": {resource}, "B": {resource}}}}}', "template.json")
    assert [definition.name for definition in found] == ["A", "B"]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("!Transform {Name: AWS::Include}", "the function Fn::Transform is not known here"),
        ("!Select [9, [a]]", "Fn::Select is not written as CloudFormation has it"),
        ("!If [Missing, a, b]", "Fn::If is not written as CloudFormation has it"),
        ("!If [Open, a, b]", "the condition Open depends on what only the stack knows"),
    ],
)
def test_refuses_functions_that_it_cannot_resolve(tmp_path: Path, function: str, message: str) -> None:
    text = f"""
Conditions:
  Open: !Equals [!Ref AWS::Region, eu-west-1]
Resources:
  P:
    Type: AWS::DataPipeline::Pipeline
    Properties:
      PipelineObjects: [{{Id: Default, Fields: [{{Key: role, StringValue: {function}}}]}}]
"""
    with pytest.raises(DefinitionRefused) as refused:
        read(tmp_path, text)
    assert message in str(refused.value)


def test_refuses_what_is_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(DefinitionRefused, match="it is no YAML"):
        read(tmp_path, "a: [")
