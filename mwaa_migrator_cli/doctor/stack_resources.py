"""The resources of a stack, and what the template's references to them stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mwaa_migrator_cli.account import NotFound

_SUFFIXES = {"aws-cn": "amazonaws.com.cn"}


@dataclass(frozen=True)
class StackResources:
    """
    Attributes:
        ids: by logical id, the type and the physical id.
        key: the ARN of the stack's key, its own or the one that it was given.
        arn: the stack's own, from which account, region and partition are read.
    """

    ids: dict[str, tuple[str, str]]
    key: str
    arn: str

    @classmethod
    def of(cls, cloudformation: Any, name: str) -> StackResources:
        """Reads the stack of that name."""
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        parameters = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}
        ids: dict[str, tuple[str, str]] = {}
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name):
            for item in page["StackResourceSummaries"]:
                if "LogicalResourceId" in item:
                    ids[item["LogicalResourceId"]] = (item["ResourceType"], item.get("PhysicalResourceId", ""))
        arn = stack["StackId"]
        _, partition, _, region, account, _ = arn.split(":", 5)
        own = ids.get("Key", ("", ""))[1]
        key = parameters.get("KeyArn") or f"arn:{partition}:kms:{region}:{account}:key/{own}"
        return cls(ids, key, arn)

    def of_type(self, resource_type: str) -> list[str]:
        """The physical ids of all resources of a type, by their logical ids' order."""
        return [physical for _, (found, physical) in sorted(self.ids.items()) if found == resource_type]

    def physical_id(self, logical_id: str) -> str:
        """Raises NotFound."""
        try:
            return self.ids[logical_id][1]
        except KeyError as missing:
            raise NotFound(
                f"The stack has no {missing}: it is from another release than this command. Update one of them."
            ) from missing

    def references(self) -> dict[str, str]:
        """What `${...}` stands for in the functions' rights."""
        _, partition, _, region, account, rest = self.arn.split(":", 5)
        return {
            "AWS::Partition": partition,
            "AWS::Region": region,
            "AWS::AccountId": account,
            "AWS::StackName": rest.split("/")[1],
            "AWS::URLSuffix": _SUFFIXES.get(partition, "amazonaws.com"),
            "ExchangeBucket.Arn": f"arn:{partition}:s3:::{self.physical_id('ExchangeBucket')}",
            "Key.Arn": self.key,
            "Topic": self.physical_id("Topic"),
        }
