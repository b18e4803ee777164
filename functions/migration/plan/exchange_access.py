"""Whether an environment's tasks reach the exchange bucket, as far as its network says.

Amazon MWAA runs tasks in the environment's own subnets. Without a way to the internet they reach S3 by a VPC endpoint
alone, which serves its own region and has a policy of its own (VPC guide, gateway endpoints for S3). A task that does
not reach the bucket fails after the target was made, which took half an hour.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from migration.observability import logger

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

_EVERYWHERE = ("0.0.0.0/0", "::/0")


class Access(NamedTuple):
    """What is asked: whether tasks of an environment reach a place in the exchange bucket.

    Attributes:
        artifact: `<bucket>/<prefix>`.
        bucket_region: the exchange bucket's.
    """

    environment: str
    region: str
    role: str
    subnets: list[str]
    artifact: str
    bucket_region: str


def notes(access: Access, ec2: EC2Client) -> list[str]:
    """Sentences about what keeps tasks from the bucket; none where nothing does, or nothing is known.

    `ec2` is that of the environment's region.
    """
    try:
        return list(_notes(access, ec2))
    except (ClientError, BotoCoreError) as error:
        logger.warning("whether tasks reach the exchange bucket is not known", extra={"error_message": repr(error)})
        return []


def _notes(access: Access, ec2: EC2Client) -> Iterator[str]:
    subnets = ec2.describe_subnets(SubnetIds=access.subnets)["Subnets"]
    if not subnets:
        return
    vpc = {"Name": "vpc-id", "Values": [subnets[0]["VpcId"]]}
    tables: list[Any] = ec2.describe_route_tables(Filters=[vpc])["RouteTables"]  # type: ignore[list-item]
    named = {"Name": "service-name", "Values": [f"*.{access.region}.s3"]}
    endpoints: list[Any] = ec2.describe_vpc_endpoints(Filters=[vpc, named])["VpcEndpoints"]  # type: ignore[list-item]
    elsewhere = access.bucket_region != access.region
    cut_off: list[str] = []
    through: dict[str, dict[str, Any]] = {}
    for subnet in sorted(subnet["SubnetId"] for subnet in subnets):
        table = _table_of(subnet, tables)
        serving = [] if elsewhere else _serving(table, endpoints)
        through |= {endpoint["VpcEndpointId"]: endpoint for endpoint in serving}
        if not serving and not _leads_out(table):
            cut_off.append(subnet)
    who, where = f"{access.environment}'s tasks", f"s3://{access.artifact}"
    if cut_off:
        why = f"the bucket is in {access.bucket_region}, and " if elsewhere else ""
        remedy = "a NAT gateway" if elsewhere else "a gateway endpoint for S3, or a NAT gateway"
        yield (
            f"{who} may not reach {where}: {why}{', '.join(cut_off)} {'has' if len(cut_off) == 1 else 'have'} no route "
            f"to it. Give them {remedy}."
        )
    for name, endpoint in through.items():
        refused = _refused(json.loads(endpoint.get("PolicyDocument") or "{}"), access)
        if refused:
            yield (
                f"{who} may not reach {where}: the policy of the VPC endpoint {name} does not allow "
                f"{', '.join(refused)} there. Let it allow the execution role the exchange bucket."
            )


def _table_of(subnet: str, tables: list[dict[str, Any]]) -> dict[str, Any]:
    """The route table of a subnet: its own, or the VPC's main one."""
    main: dict[str, Any] = {}
    for table in tables:
        for association in table.get("Associations", []):
            if association.get("SubnetId") == subnet:
                return table
            if association.get("Main"):
                main = table
    return main


def _leads_out(table: dict[str, Any]) -> bool:
    """Whether a route table sends what it does not know somewhere, be it to a NAT gateway or another network."""
    return any(
        route.get("DestinationCidrBlock", route.get("DestinationIpv6CidrBlock")) in _EVERYWHERE
        and route.get("State") != "blackhole"
        for route in table.get("Routes", [])
    )


def _serving(table: dict[str, Any], endpoints: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The endpoints through which a subnet with this route table reaches S3 in its own region."""
    gateways = [endpoint for endpoint in endpoints if table.get("RouteTableId") in endpoint.get("RouteTableIds", [])]
    # A gateway's route is more specific than any other; names lead to an interface only if the VPC's DNS has them.
    return gateways or [
        endpoint
        for endpoint in endpoints
        if endpoint.get("VpcEndpointType") == "Interface" and endpoint.get("PrivateDnsEnabled")
    ]


def _refused(policy: dict[str, Any], access: Access) -> list[str]:
    """The actions that an endpoint's policy does not allow; conditions are taken to be as the caller wishes."""
    found = policy.get("Statement", [])
    statements: list[dict[str, Any]] = [found] if isinstance(found, dict) else found
    partition = access.role.split(":")[1]
    bucket, _, prefix = access.artifact.partition("/")
    of_bucket, of_object = f"arn:{partition}:s3:::{bucket}", f"arn:{partition}:s3:::{bucket}/{prefix}/manifest.json"
    needed = {"s3:ListBucket": of_bucket, "s3:GetObject": of_object, "s3:PutObject": of_object}

    def says(effect: str, action: str, resource: str) -> bool:
        return any(
            statement.get("Effect") == effect
            and not (effect == "Deny" and statement.get("Condition"))
            and _names(statement.get("Principal"), access.role)
            and _covers(statement, "Action", action)
            and _covers(statement, "Resource", resource)
            for statement in statements
        )

    return [
        action
        for action, resource in needed.items()
        if says("Deny", action, resource) or not says("Allow", action, resource)
    ]


def _names(principal: Any, role: str) -> bool:
    """Whether a Principal is everybody, the role or its account."""
    named = principal.get("AWS", []) if isinstance(principal, dict) else principal
    account = role.split(":")[4]
    everybody = ("*", role, account, f"arn:{role.split(':')[1]}:iam::{account}:root")
    return any(name in everybody for name in ([named] if isinstance(named, str) else named or []))


def _covers(statement: dict[str, Any], element: str, value: str) -> bool:
    """Whether a statement's Action or Resource, or its opposite (`NotAction`), covers a value."""
    given = statement.get(element, statement.get(f"Not{element}", []))
    patterns = [given] if isinstance(given, str) else given
    matches = any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), value, re.IGNORECASE)
        for pattern in patterns
    )
    return matches if element in statement else not matches
