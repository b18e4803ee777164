"""What the network of an environment says about the way of its tasks to the exchange bucket."""

from __future__ import annotations

import json
from typing import Any

import pytest

import plan
from migration.aws import clients
from migration.plan import exchange_access
from migration.plan.exchange_access import Access
from tests.unit.functions.conftest import REGION, ROLE, Environments, Handler, document

ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


class Network:
    """A VPC with two subnets; without more there is no way out of it."""

    def __init__(self, region: str = REGION) -> None:
        self.ec2: Any = clients.ec2(region)
        self.vpc = self.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.1.{number}.0/24")["Subnet"]["SubnetId"]
            for number in (1, 2)
        ]
        (main,) = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["RouteTables"]
        self.main: str = main["RouteTableId"]
        self.region = region

    def own_table(self, subnet: str) -> str:
        table: str = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return table

    def add_nat(self, table: str) -> None:
        nat = self.ec2.create_nat_gateway(SubnetId=self.subnets[0])["NatGateway"]["NatGatewayId"]
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)

    def add_endpoint(self, *tables: str, statements: list[dict[str, Any]] | None = None, kind: str = "Gateway") -> str:
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements or [ALLOW]})
        made = self.ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            ServiceName=f"com.amazonaws.{self.region}.s3",
            VpcEndpointType=kind,
            PolicyDocument=policy,
            **({"RouteTableIds": list(tables)} if tables else {"SubnetIds": self.subnets}),
        )
        return str(made["VpcEndpoint"]["VpcEndpointId"])

    def notes(self, bucket_region: str = REGION) -> list[str]:
        access = Access(
            environment="prod",
            region=self.region,
            role=ROLE,
            subnets=self.subnets,
            artifact="exchange/artifacts/m",
            bucket_region=bucket_region,
        )
        return exchange_access.notes(access, self.ec2)


def test_a_vpc_without_a_way_out() -> None:
    network = Network()
    (note,) = network.notes()
    both = ", ".join(sorted(network.subnets))
    assert note.startswith(f"prod's tasks may not reach s3://exchange/artifacts/m: {both} have no route to it. Give")
    assert "a gateway endpoint for S3" in note


def test_one_of_two_subnets_is_cut_off() -> None:
    network = Network()
    network.add_endpoint(network.main)
    assert network.notes() == []
    network.own_table(network.subnets[1])
    (note,) = network.notes()
    assert f": {network.subnets[1]} has no route to it." in note


def test_a_nat_gateway_leads_everywhere() -> None:
    network = Network()
    network.add_nat(network.main)
    assert network.notes() == network.notes("us-east-1") == []


def test_an_endpoint_does_not_lead_to_another_region() -> None:
    network = Network()
    network.add_endpoint(network.main)
    (note,) = network.notes("us-east-1")
    assert "the bucket is in us-east-1, and" in note
    assert note.endswith("Give them a NAT gateway.")


def test_an_interface_endpoint_leads_to_s3() -> None:
    network = Network()
    network.add_endpoint(kind="Interface")
    assert network.notes() == []


BUCKET = "arn:aws:s3:::exchange"
DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*"}
EVERYWHERE_ELSE = {"Effect": "Allow", "Principal": "*", "Action": "*", "NotResource": f"{BUCKET}*"}
POLICIES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "other buckets only": (
        [ALLOW | {"Resource": ["arn:aws:s3:::dags", "arn:aws:s3:::dags/*"]}],
        ["s3:ListBucket", "s3:GetObject", "s3:PutObject"],
    ),
    "to read only": ([ALLOW | {"Action": ["s3:Get*", "s3:List*"]}], ["s3:PutObject"]),
    "another role only": (
        [ALLOW | {"Principal": {"AWS": f"{ROLE}-other"}}],
        ["s3:ListBucket", "s3:GetObject", "s3:PutObject"],
    ),
    "this role": ([ALLOW | {"Principal": {"AWS": ROLE}}], []),
    "the account": ([ALLOW | {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}], []),
    "the bucket and its objects": ([ALLOW | {"Resource": [BUCKET, f"{BUCKET}/*"]}], []),
    "the objects only": ([ALLOW | {"Resource": f"{BUCKET}/*"}], ["s3:ListBucket"]),
    "all but this bucket": ([EVERYWHERE_ELSE], ["s3:ListBucket", "s3:GetObject", "s3:PutObject"]),
    "denied": ([ALLOW, DENY], ["s3:PutObject"]),
    "denied everywhere else": ([ALLOW, EVERYWHERE_ELSE | {"Effect": "Deny"}], []),
    # What a condition comes to, a request alone can tell.
    "under a condition": ([ALLOW | {"Condition": {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}}], []),
    "denied under a condition": ([ALLOW, DENY | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}], []),
}


@pytest.mark.parametrize(("statements", "refused"), POLICIES.values(), ids=POLICIES)
def test_the_policy_of_an_endpoint(statements: list[dict[str, Any]], refused: list[str]) -> None:
    network = Network()
    endpoint = network.add_endpoint(network.main, statements=statements)
    expected = f"the policy of the VPC endpoint {endpoint} does not allow {', '.join(refused)} there."
    found = network.notes()
    assert len(found) == bool(refused)
    assert all(expected in note for note in found)


def test_plan_says_it_of_both_environments(mwaa: Environments, call: Handler) -> None:
    closed = Network()
    mwaa.all["prod-2-10"]["NetworkConfiguration"]["SubnetIds"] = closed.subnets
    told = " ".join(call(plan, input=document())["notes"])
    assert "prod-2-10's tasks may not reach s3://exchange/artifacts/" in told
    assert "prod-3's tasks may not reach" in told


def test_subnets_that_are_not_there_are_no_reason(mwaa: Environments, call: Handler) -> None:
    assert not any("may not reach" in note for note in call(plan, input=document())["notes"])
