"""An EmrCluster as the request that makes it (RunJobFlow), with what Amazon EMR does not have any more replaced."""

from __future__ import annotations

import re
from typing import Any

from .draft import Draft
from .expressions.values import Text
from .model import PipelineObject

#: The last release of the line that AMIs and emr-4 belong to: its Hadoop 2 and Hive 2 are nearest to what ran there.
NEAREST_RELEASE = "emr-5.36.2"
_OLDEST_RELEASE = (5, 0)
#: Instance types that Amazon EMR's releases since 5 do not start.
_GONE_TYPES = re.compile(r"(m1|m2|m3|c1|c3|cc1|cc2|cg1|hs1|r3|i2|hi1|cr1|t1|g2)\.")
REPLACEMENT_TYPE = "m5.xlarge"
_APPLICATIONS = {
    "hadoop": "Hadoop", "hive": "Hive", "pig": "Pig", "spark": "Spark", "sqoop": "Sqoop", "hbase": "HBase",
    "hue": "Hue", "tez": "Tez", "presto": "Presto", "oozie": "Oozie", "ganglia": "Ganglia", "mahout": "Mahout",
    "zeppelin": "Zeppelin", "zookeeper": "ZooKeeper", "hcatalog": "HCatalog", "phoenix": "Phoenix", "flink": "Flink",
}  # fmt: skip
_YARN = "org.apache.hadoop.yarn.server.resourcemanager.scheduler"
_SCHEDULERS = {
    "PARALLEL_FAIR_SCHEDULING": f"{_YARN}.fair.FairScheduler",
    "PARALLEL_CAPACITY_SCHEDULING": f"{_YARN}.capacity.CapacityScheduler",
}
#: The files that configure-hadoop, a bootstrap action of the AMIs, wrote its keys to.
_CONFIGURE_HADOOP = re.compile(r"/bootstrap-actions/(.*/)?configure-hadoop$")
#: Buckets of AWS's with the bootstrap actions of AMI versions.
_OF_AMIS = re.compile(r"s3n?://([\w-]+\.)?(elasticmapreduce|datapipeline-[\w-]+)/(.*/)?bootstrap-actions/")
_CLASSIFICATIONS = {
    "-c": "core-site", "--core-key-value": "core-site", "-h": "hdfs-site", "--hdfs-key-value": "hdfs-site",
    "-m": "mapred-site", "--mapred-key-value": "mapred-site", "-y": "yarn-site", "--yarn-key-value": "yarn-site",
    "-z": "capacity-scheduler", "-s": "mapred-site", "--site-key-value": "mapred-site",
}  # fmt: skip


def job_flow(draft: Draft, cluster: PipelineObject) -> dict[str, Any]:
    """The request for a cluster: `job_flow_overrides` of the operator that makes it."""
    configurations = _configurations(draft, cluster, "configuration")
    bootstrap = _bootstrap_actions(draft, cluster, configurations)
    _scheduler(draft, cluster, configurations)
    request: dict[str, Any] = {
        "Name": "{{ dag.dag_id }}",
        "ReleaseLabel": _release(draft, cluster),
        "Applications": [{"Name": name} for name in _applications(draft, cluster)],
    }
    logs = draft.text(cluster, "pipelineLogUri")
    if logs is not None:
        request["LogUri"] = logs.jinja
        draft.ledger.note(cluster, "pipelineLogUri", "The cluster's `LogUri`; Airflow's task logs go to CloudWatch.")
    request["Instances"] = _instances(draft, cluster)
    if bootstrap:
        request["BootstrapActions"] = bootstrap
    if configurations:
        request["Configurations"] = [
            {"Classification": name, "Properties": value} if isinstance(value, dict) else value[0]
            for name, value in configurations.items()
        ]
    instance_profile, service_role = draft.text(cluster, "resourceRole"), draft.text(cluster, "role")
    request["JobFlowRole"] = instance_profile.jinja if instance_profile else "DataPipelineDefaultResourceRole"
    request["ServiceRole"] = service_role.jinja if service_role else "DataPipelineDefaultRole"
    draft.ledger.note(
        cluster, "resourceRole", "The cluster's `JobFlowRole`; the environment's role must be allowed to pass it."
    )
    draft.ledger.note(
        cluster, "role", "The cluster's `ServiceRole`; the environment's role must be allowed to pass it."
    )
    request["VisibleToAllUsers"] = draft.truth(cluster, "visibleToAllUsers", otherwise=True)
    return request


def _release(draft: Draft, cluster: PipelineObject) -> str:
    ledger = draft.ledger
    label = draft.text(cluster, "releaseLabel")
    if label is not None:
        found = re.fullmatch(r"emr-(\d+)\.(\d+).*", label.fixed or "")
        if found and (int(found[1]), int(found[2])) < _OLDEST_RELEASE:
            ledger.decide(
                cluster,
                "releaseLabel",
                f"{label.fixed} is out of support; `{NEAREST_RELEASE}` is written, whose Hadoop and Hive are "
                "nearest. Try the scripts on it.",
            )
            return NEAREST_RELEASE
        ledger.note(cluster, "releaseLabel", "The cluster's `ReleaseLabel`, unchanged.")
        return label.jinja
    if cluster.text("amiVersion"):
        ledger.decide(
            cluster,
            "amiVersion",
            f"Amazon EMR has no AMI versions now; `{NEAREST_RELEASE}` is written, whose Hadoop and Hive are nearest. "
            "Try the scripts on it.",
        )
    else:
        ledger.differs(cluster, "releaseLabel", f"The definition names no release; `{NEAREST_RELEASE}` is written.")
    return NEAREST_RELEASE


def _applications(draft: Draft, cluster: PipelineObject) -> list[str]:
    named = [part.stripped() for text in draft.texts(cluster, "applications") for part in text.split(",")]
    if named:
        draft.ledger.note(cluster, "applications", "The cluster's `Applications`.")
        # Hadoop is on every cluster; what the activities need is what the definition lists.
        return ["Hadoop", *(name for name in (_application(item) for item in named) if name != "Hadoop")]
    return ["Hadoop", "Hive", "Pig"]


def _application(name: Text) -> str:
    fixed = (name.fixed or name.jinja).strip()
    return _APPLICATIONS.get(fixed.lower(), fixed)


def _instances(draft: Draft, cluster: PipelineObject) -> dict[str, Any]:
    groups = [_group(draft, cluster, "master", "Primary", 1)]
    cores = draft.number(cluster, "coreInstanceCount", 1)
    if cores:
        groups.append(_group(draft, cluster, "core", "Core", cores))
    tasks = draft.number(cluster, "taskInstanceCount", 0)
    if tasks:
        groups.append(_group(draft, cluster, "task", "Task", tasks))
    instances: dict[str, Any] = {"InstanceGroups": groups, "KeepJobFlowAliveWhenNoSteps": True}
    for field, key in (
        ("keyPair", "Ec2KeyName"),
        ("subnetId", "Ec2SubnetId"),
        ("emrManagedMasterSecurityGroupId", "EmrManagedMasterSecurityGroup"),
        ("emrManagedSlaveSecurityGroupId", "EmrManagedSlaveSecurityGroup"),
        ("serviceAccessSecurityGroupId", "ServiceAccessSecurityGroup"),
    ):
        text = draft.text(cluster, field)
        if text is not None:
            instances[key] = text.jinja
            draft.ledger.note(cluster, field, f"The cluster's `{key}`.")
    for field, key in (
        ("additionalMasterSecurityGroupIds", "AdditionalMasterSecurityGroups"),
        ("additionalSlaveSecurityGroupIds", "AdditionalSlaveSecurityGroups"),
    ):
        texts = draft.texts(cluster, field)
        if texts:
            instances[key] = [text.jinja for text in texts]
            draft.ledger.note(cluster, field, f"The cluster's `{key}`.")
    zone = draft.text(cluster, "availabilityZone")
    if zone is not None:
        instances["Placement"] = {"AvailabilityZone": zone.jinja}
        draft.ledger.note(cluster, "availabilityZone", "The cluster's `Placement`.")
    return instances


def _group(draft: Draft, cluster: PipelineObject, prefix: str, name: str, count: int) -> dict[str, Any]:
    ledger = draft.ledger
    group: dict[str, Any] = {
        "Name": name,
        "InstanceRole": prefix.upper(),
        "InstanceType": _instance_type(draft, cluster, f"{prefix}InstanceType"),
        "InstanceCount": count,
    }
    ledger.note(cluster, f"{prefix}InstanceCount", f"The count of the group {name}.")
    bid = draft.text(cluster, f"{prefix}InstanceBidPrice")
    if bid is not None:
        group["Market"] = "SPOT"
        if bid.fixed != "OnDemandPrice":
            group["BidPrice"] = bid.jinja
        ledger.note(cluster, f"{prefix}InstanceBidPrice", f"The group {name} is of Spot Instances.")
        if cluster.text("useOnDemandOnLastAttempt"):
            ledger.differs(cluster, "useOnDemandOnLastAttempt", "Each retry asks for Spot Instances, the last one too.")
    volumes = [_ebs(draft, found) for found in draft.referred(cluster, f"{prefix}EbsConfiguration")]
    if volumes:
        group["EbsConfiguration"] = volumes[0]
        ledger.note(cluster, f"{prefix}EbsConfiguration", f"The volumes of the group {name}.")
    configurations = _configurations(draft, cluster, f"{prefix}GroupConfiguration")
    if configurations:
        group["Configurations"] = [
            {"Classification": key, "Properties": value} if isinstance(value, dict) else value[0]
            for key, value in configurations.items()
        ]
    return group


def _instance_type(draft: Draft, cluster: PipelineObject, field: str) -> str:
    text = draft.text(cluster, field)
    if text is None:
        draft.ledger.differs(cluster, field, f"The definition names no instance type; `{REPLACEMENT_TYPE}` is written.")
        return REPLACEMENT_TYPE
    if _GONE_TYPES.match(text.fixed or ""):
        draft.ledger.decide(
            cluster, field, f"Amazon EMR does not start {text.fixed} any more; `{REPLACEMENT_TYPE}` is written."
        )
        return REPLACEMENT_TYPE
    draft.ledger.note(cluster, field, "The instance type, unchanged.")
    return text.jinja


def _ebs(draft: Draft, found: PipelineObject) -> dict[str, Any]:
    """An EbsConfiguration with the devices and volumes that it refers to."""
    devices = []
    for device in draft.referred(found, "ebsBlockDeviceConfig"):
        for volume in draft.referred(device, "volumeSpecification"):
            size = draft.number(volume, "sizeInGB", 10)
            specification: dict[str, Any] = {"VolumeType": draft.fixed(volume, "volumeType", "gp2"), "SizeInGB": size}
            iops = draft.number(volume, "iops")
            if iops:
                specification["Iops"] = iops
            count = draft.number(device, "volumesPerInstance", 1)
            devices.append({"VolumeSpecification": specification, "VolumesPerInstance": count})
    return {"EbsBlockDeviceConfigs": devices, "EbsOptimized": draft.truth(found, "ebsOptimized")}


def _configurations(draft: Draft, cluster: PipelineObject, field: str) -> dict[str, Any]:
    """The configurations that a field refers to by classification: properties, or a list of a nested configuration."""
    found: dict[str, Any] = {}
    for item in draft.referred(cluster, field):
        configuration = _configuration(draft, item)
        nested = "Configurations" in configuration
        found[configuration["Classification"]] = [configuration] if nested else configuration["Properties"]
        draft.ledger.note(cluster, field, "The `Configurations` of the cluster or the group.")
    return found


def _configuration(draft: Draft, found: PipelineObject) -> dict[str, Any]:
    classification = draft.text(found, "classification")
    properties = {}
    for item in draft.referred(found, "property"):
        key, value = draft.text(item, "key"), draft.text(item, "value")
        if key is not None:
            properties[key.jinja] = value.jinja if value else ""
    configuration: dict[str, Any] = {
        "Classification": classification.jinja if classification else "",
        "Properties": properties,
    }
    inner = [_configuration(draft, item) for item in draft.referred(found, "configuration")]
    if inner:
        configuration["Configurations"] = inner
    return configuration


def _bootstrap_actions(draft: Draft, cluster: PipelineObject, configurations: dict[str, Any]) -> list[dict[str, Any]]:
    """The actions; what configure-hadoop did becomes configurations."""
    actions = []
    for number, text in enumerate(draft.texts(cluster, "bootstrapAction"), start=1):
        path, *arguments = [part.stripped() for part in text.split(",", "\\")]
        if _CONFIGURE_HADOOP.search(path.fixed or ""):
            others = _configure_hadoop(arguments, configurations)
            draft.ledger.differs(
                cluster,
                "bootstrapAction",
                "configure-hadoop belongs to AMI versions; its keys are `Configurations` now.",
            )
            if others:
                draft.ledger.decide(
                    cluster,
                    "bootstrapAction",
                    f"configure-hadoop's {', '.join(others)} has no counterpart in `Configurations`: see what it did.",
                )
            continue
        if _OF_AMIS.match(path.jinja):
            draft.ledger.decide(
                cluster,
                "bootstrapAction",
                f"`{path.jinja}` belongs to AMI versions and is left out: use `Applications`, `Configurations` or an "
                "action of your own.",
            )
            continue
        draft.ledger.note(cluster, "bootstrapAction", "A bootstrap action with its arguments.")
        script = {"Path": path.jinja, "Args": [argument.jinja for argument in arguments]}
        actions.append({"Name": f"Bootstrap action {number}", "ScriptBootstrapAction": script})
    return actions


def _configure_hadoop(arguments: list[Text], configurations: dict[str, Any]) -> list[str]:
    """Adds the keys that configure-hadoop set, and returns its other options."""
    others = []
    for option, pair in zip(arguments[::2], arguments[1::2], strict=False):
        classification = _CLASSIFICATIONS.get(option.fixed or "")
        if classification is None:
            others.append(f"{option.jinja} {pair.jinja}")
            continue
        key, _, value = pair.jinja.partition("=")
        properties = configurations.setdefault(classification, {})
        if isinstance(properties, dict):
            properties[key] = value
    return others


def _scheduler(draft: Draft, cluster: PipelineObject, configurations: dict[str, Any]) -> None:
    scheduler = _SCHEDULERS.get((draft.fixed(cluster, "hadoopSchedulerType") or "").upper())
    if scheduler is not None:
        properties = configurations.setdefault("yarn-site", {})
        if isinstance(properties, dict):
            properties.setdefault("yarn.resourcemanager.scheduler.class", scheduler)
        draft.ledger.note(cluster, "hadoopSchedulerType", "YARN's scheduler, in `yarn-site`.")
