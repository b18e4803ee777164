"""Resources: a task that sets one up, a task that tears it down, and what runs on it in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from . import emr_cluster, emr_serverless_application
from .dag_file import Task
from .draft import Draft
from .model import PipelineObject
from .periods import Period
from .python_code import Output

_EMR = "airflow.providers.amazon.aws.operators.emr"
_EC2 = "airflow.providers.amazon.aws.operators.ec2"
#: The image that AWS keeps up to date, with the agent of Systems Manager in it.
_IMAGE = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
_INSTANCE_TYPE = "t3.small"


#: What runs on EMR Serverless; empty for a resource itself, a cluster or an instance.
Engine = Literal["", "HIVE", "SPARK"]
#: The configurations that jobs of each engine take.
SERVERLESS_ENGINES: Mapping[Engine, tuple[str, ...]] = {
    "HIVE": ("hive-site", "tez-site", "core-site", "emrfs-site"),
    "SPARK": ("spark-defaults", "spark-log4j2", "core-site", "emrfs-site", "hive-site"),
}


@dataclass(frozen=True)
class Host:
    """What tasks run on: a resource, by its id, or an EMR Serverless application in the place of a cluster."""

    resource_id: str
    engine: Engine = ""


def set_up(draft: Draft, host: Host) -> list[str]:
    """Adds the tasks that make a host, and returns their names in their order."""
    resource = draft.object(host.resource_id)
    name = draft.name(resource, f"create_{host.engine.lower()}_application_for" if host.engine else "create")
    region = draft.text(resource, "region")
    arguments: dict[str, Any]
    if host.engine:
        arguments = emr_serverless_application.request(draft, resource, host.engine)
        task = Task(name, _EMR, "EmrServerlessCreateApplicationOperator", arguments, "setup")
    elif resource.type == "EmrCluster":
        arguments = {"job_flow_overrides": emr_cluster.job_flow(draft, resource)}
        task = Task(name, _EMR, "EmrCreateJobFlowOperator", arguments, "setup")
    else:
        image, config = _instance(draft, resource)
        arguments = {"image_id": image, "config": config, "wait_for_completion": True}
        task = Task(name, _EC2, "EC2CreateInstanceOperator", arguments, "setup")
    if region is not None:
        arguments["region_name"] = region.jinja
        draft.ledger.note(resource, "region", "`region_name` of its tasks.")
    draft.add(task, resource)
    if resource.type == "EmrCluster" or draft.options.shell_on != "ssm":
        return [name]
    registered = draft.name(resource, "register")
    called: dict[str, Any] = {"instance_ids": Output(name)}
    if region is not None:
        called["region_name"] = region.jinja
    draft.dag.add(Task(registered, "", "is_managed_by_ssm", called, "setup"))
    return [name, registered]


def tear_down(draft: Draft, host: Host, setups: list[str], after: list[str]) -> None:
    """Adds the task that removes a host when everything on it has ended, however it ended."""
    resource = draft.object(host.resource_id)
    name = draft.name(resource, f"delete_{host.engine.lower()}_application_for" if host.engine else "terminate")
    arguments: dict[str, Any]
    if host.engine:
        # Jobs of a run that was stopped must not keep the application.
        arguments = {"application_id": Output(setups[0]), "force_stop": True}
        task = Task(name, _EMR, "EmrServerlessDeleteApplicationOperator", arguments, "teardown", tuple(setups))
    elif resource.type == "EmrCluster":
        arguments = {"job_flow_id": Output(setups[0])}
        task = Task(name, _EMR, "EmrTerminateJobFlowOperator", arguments, "teardown", tuple(setups))
    else:
        arguments = {"instance_ids": Output(setups[0])}
        task = Task(name, _EC2, "EC2TerminateInstanceOperator", arguments, "teardown", tuple(setups))
    region = draft.text(resource, "region")
    if region is not None:
        arguments["region_name"] = region.jinja
    draft.dag.add(task, after)
    draft.ledger.note(
        resource, "", f"`{setups[0]}` makes it and `{name}` removes it, whether the tasks between succeed or fail."
    )


def longest_life(draft: Draft, resource: PipelineObject) -> Period | None:
    """How long a resource may live: as long may a task on it take."""
    life = draft.period(resource, "terminateAfter")
    if life is not None:
        draft.ledger.differs(
            resource,
            "terminateAfter",
            f"No task on it runs longer than {life}; the resource goes when its tasks have ended.",
        )
    return life


def _instance(draft: Draft, resource: PipelineObject) -> tuple[str, dict[str, Any]]:
    """The image of an instance, and the rest of the request for it (RunInstances)."""
    ledger = draft.ledger
    image = draft.text(resource, "imageId")
    if image is None:
        ledger.differs(
            resource, "imageId", "The newest Amazon Linux 2023, where Data Pipeline took an older one of its own."
        )
    else:
        ledger.decide(resource, "imageId", "The image, unchanged: it must have the agent of Systems Manager.")
    instance_type = draft.text(resource, "instanceType")
    if instance_type is None:
        ledger.differs(
            resource, "instanceType", f"The definition names no instance type; `{_INSTANCE_TYPE}` is written."
        )
    else:
        ledger.note(resource, "instanceType", "The instance type, unchanged.")
    config: dict[str, Any] = {
        "InstanceType": instance_type.jinja if instance_type else _INSTANCE_TYPE,
        "InstanceInitiatedShutdownBehavior": "terminate",
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "{{ dag.dag_id }}"}]}],
    }
    role = draft.text(resource, "resourceRole")
    if role is not None:
        config["IamInstanceProfile"] = {"Name": role.jinja}
        ledger.decide(
            resource,
            "resourceRole",
            "The instance's profile: it needs the policy AmazonSSMManagedInstanceCore, and the environment's role must "
            "be allowed to pass it.",
        )
    key = draft.text(resource, "keyPair")
    if key is not None:
        config["KeyName"] = key.jinja
        ledger.note(resource, "keyPair", "The instance's `KeyName`.")
    zone = draft.text(resource, "availabilityZone")
    if zone is not None:
        config["Placement"] = {"AvailabilityZone": zone.jinja}
        ledger.note(resource, "availabilityZone", "The instance's `Placement`.")
    if draft.text(resource, "spotBidPrice") is not None:
        config["InstanceMarketOptions"] = {"MarketType": "spot"}
        ledger.differs(resource, "spotBidPrice", "A Spot Instance at the market's price.")
        if resource.text("useOnDemandOnLastAttempt"):
            ledger.differs(
                resource, "useOnDemandOnLastAttempt", "Each retry asks for a Spot Instance, the last one too."
            )
    life = draft.period(resource, "terminateAfter")
    if life is not None:
        # The instance ends itself in time, even where nobody ends it.
        config["UserData"] = f"#!/bin/bash\nshutdown -h +{life.seconds // 60}\n"
    _network(draft, resource, config)
    return (image.jinja if image else _IMAGE), config


def _network(draft: Draft, resource: PipelineObject, config: dict[str, Any]) -> None:
    ledger = draft.ledger
    subnet = draft.text(resource, "subnetId")
    groups = [text.jinja for text in draft.texts(resource, "securityGroupIds")]
    names = [text.jinja for text in draft.texts(resource, "securityGroups")]
    if resource.text("associatePublicIpAddress") and subnet is not None:
        interface: dict[str, Any] = {
            "DeviceIndex": 0,
            "AssociatePublicIpAddress": draft.truth(resource, "associatePublicIpAddress"),
            "SubnetId": subnet.jinja,
        }
        if groups:
            interface["Groups"] = groups
        config["NetworkInterfaces"] = [interface]
    else:
        if subnet is not None:
            config["SubnetId"] = subnet.jinja
        if groups:
            config["SecurityGroupIds"] = groups
        if names:
            config["SecurityGroups"] = names
    for field in ("subnetId", "securityGroupIds", "securityGroups", "associatePublicIpAddress"):
        ledger.note(resource, field, "The instance's network.")
