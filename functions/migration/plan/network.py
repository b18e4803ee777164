"""Whether an environment can be where `target.overrides.NetworkConfiguration` wants it (Amazon MWAA's user guide)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from migration import errors
from migration.aws.client_errors import code_of, is_transient
from migration.json_schema import Problem

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

# Amazon MWAA requires this many private subnets, in different zones.
_SUBNETS = 2


def problems(network: dict[str, Any], ec2: EC2Client) -> Iterator[Problem]:
    """What the subnets and security groups of a NetworkConfiguration say against it. `ec2` is the target region's."""
    where = "target.overrides.NetworkConfiguration"
    subnet_ids, group_ids = network.get("SubnetIds", []), network.get("SecurityGroupIds", [])
    if len(set(subnet_ids)) != _SUBNETS:
        yield _problem(
            f"{where}.SubnetIds", f"Amazon MWAA takes {_SUBNETS} different subnets, not {len(set(subnet_ids))}"
        )
        return
    try:
        subnets = ec2.describe_subnets(SubnetIds=subnet_ids)["Subnets"]
        groups = ec2.describe_security_groups(GroupIds=group_ids)["SecurityGroups"] if group_ids else []
    except ClientError as error:
        if is_transient(error) or not code_of(error).startswith("Invalid"):
            raise
        about = "SecurityGroupIds" if "Group" in code_of(error) else "SubnetIds"
        yield _problem(f"{where}.{about}", "one of them does not exist in the target's region; correct the id")
        return
    vpcs = {subnet["VpcId"] for subnet in subnets}
    if len(vpcs) > 1:
        yield _problem(f"{where}.SubnetIds", f"they lie in {' and '.join(sorted(vpcs))}; both must be of one VPC")
    elif len({subnet["AvailabilityZone"] for subnet in subnets}) < _SUBNETS:
        yield _problem(f"{where}.SubnetIds", "they lie in one availability zone; Amazon MWAA wants two")
    elsewhere = sorted(group["GroupId"] for group in groups if group["VpcId"] not in vpcs)
    if elsewhere:
        yield _problem(f"{where}.SecurityGroupIds", f"{', '.join(elsewhere)} belong to another VPC than the subnets")


def _problem(path: str, message: str) -> Problem:
    return Problem(errors.NetworkUnfit.__name__, path, message)
