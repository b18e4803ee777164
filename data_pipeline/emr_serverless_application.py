"""An EMR Serverless application in the place of an EmrCluster: what the operator that makes it gets."""

from __future__ import annotations

import re
from typing import Any

from .draft import Draft
from .model import PipelineObject

#: The last release of the line whose Hive 3 and Spark 3 are nearest to what ran; EMR Serverless begins with emr-6.6.
NEAREST_RELEASE = "emr-6.15.0"
_OLDEST_RELEASE = (6, 6)
_NETWORK = {
    "subnetId": "subnetIds",
    "emrManagedMasterSecurityGroupId": "securityGroupIds",
    "emrManagedSlaveSecurityGroupId": "securityGroupIds",
}
#: Fields about a cluster's machines and what is installed on them.
_OF_MACHINES = re.compile(
    r"(master|core|task)(Instance|Ebs|Group)\w+|applications|availabilityZone|keyPair|hadoopSchedulerType|"
    r"useOnDemandOnLastAttempt|visibleToAllUsers|\w+SecurityGroupIds?|initTimeout"
)


def request(draft: Draft, cluster: PipelineObject, job_type: str) -> dict[str, Any]:
    """The arguments of EmrServerlessCreateApplicationOperator, which renders no templates in them."""
    arguments: dict[str, Any] = {"release_label": _release(draft, cluster), "job_type": job_type}
    config: dict[str, Any] = {"name": draft.dag.dag_id}
    network: dict[str, list[str]] = {}
    for field, key in _NETWORK.items():
        text = draft.fixed(cluster, field)
        if text is not None and text not in network.setdefault(key, []):
            network[key].append(text)
        draft.ledger.note(cluster, field, "The application's network.")
    network = {key: values for key, values in network.items() if values}
    if network:
        config["networkConfiguration"] = network
    arguments["config"] = config
    _note(draft, cluster)
    return arguments


def _release(draft: Draft, cluster: PipelineObject) -> str:
    label = draft.fixed(cluster, "releaseLabel")
    found = re.fullmatch(r"emr-(\d+)\.(\d+).*", label or "")
    if label and found and (int(found[1]), int(found[2])) >= _OLDEST_RELEASE:
        draft.ledger.note(cluster, "releaseLabel", "The application's release, unchanged.")
        return label
    field = "amiVersion" if cluster.text("amiVersion") else "releaseLabel"
    draft.ledger.decide(
        cluster, field, f"EMR Serverless begins with emr-6.6; `{NEAREST_RELEASE}` is written. Try the scripts on it."
    )
    return NEAREST_RELEASE


def _note(draft: Draft, cluster: PipelineObject) -> None:
    """Says what becomes of the fields that an application has no place for."""
    ledger = draft.ledger
    if cluster.text("bootstrapAction"):
        ledger.decide(
            cluster,
            "bootstrapAction",
            "EMR Serverless has no bootstrap actions: put what they install into a custom image.",
        )
    ledger.decide(
        cluster,
        "resourceRole",
        "Jobs have the role whose ARN is in a variable: let `emr-serverless.amazonaws.com` assume it, and the "
        "environment's role pass it.",
    )
    ledger.dropped(cluster, "role", "EMR Serverless has a service role of its own.")
    for field in cluster.fields:
        if _OF_MACHINES.fullmatch(field) and not ledger.of(cluster.origin(field), field):
            ledger.dropped(cluster, field, "EMR Serverless sizes itself: an application has no instances of yours.")
