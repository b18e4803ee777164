"""What is refused, and how: each input is wrong in one way, and its error says what, where, and what to do.

Nothing has been created when an input is refused.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import EndpointConnectionError

import plan
from migration import errors
from migration.aws import clients
from migration.environments.environment import MIGRATION_TAG
from tests.unit.functions.conftest import REGION, ROLE, Environments, Handler

GOOD: dict[str, Any] = {
    "source": {"environment": "prod-2-10"},
    "target": {"environment": "prod-3", "airflowVersion": "3.2.1"},
}
World = Callable[[Environments], None]


class Case(NamedTuple):
    """`changes`: paths of the good input and what stands there instead. `world`: what is wrong around it."""

    error: str
    path: str
    says: str
    changes: dict[str, Any]
    world: World | None = None


def source(**fields: Any) -> World:
    return lambda mwaa: mwaa.all["prod-2-10"].update(fields)


def target(**fields: Any) -> World:
    return lambda mwaa: mwaa.all.update({"prod-3": {"Name": "prod-3", "Status": "AVAILABLE", "Tags": {}} | fields})


def bucket(name: str, region: str, versioned: bool) -> World:
    def make(_: Environments) -> None:
        s3 = clients.s3(region)
        place: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **place)
        if versioned:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    return make


def heartbeats(*ago: timedelta) -> World:
    """The source's schedulers told CloudWatch that they lived, so long ago."""
    dimensions = {"Function": "Scheduler", "Environment": "prod-2-10"}

    def tell(_: Environments) -> None:
        clients.cloudwatch(REGION).put_metric_data(
            Namespace="AmazonMWAA",
            MetricData=[
                {
                    "MetricName": "SchedulerHeartbeat",
                    "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
                    "Timestamp": datetime.now(UTC) - one,
                    "Value": 12,
                }
                for one in ago
            ],
        )

    return tell


def role(name: str, service: str) -> World:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})

    def make(_: Environments) -> None:
        clients.iam().create_role(RoleName=name, AssumeRolePolicyDocument=policy)

    return make


def rights(*statements: tuple[str, str]) -> World:
    """Actions and resources of the source's execution role."""
    allow = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in statements]
    policy = json.dumps({"Version": "2012-10-17", "Statement": allow})
    return lambda _: clients.iam().put_role_policy(RoleName="airflow", PolicyName="of-prod", PolicyDocument=policy)  # type: ignore[return-value]


def no_mwaa(mwaa: Environments) -> None:
    def get_environment(**_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://api.airflow.eu-nowhere-1.amazonaws.com")

    mwaa.get_environment = get_environment  # type: ignore[assignment,method-assign]


OURS = {MIGRATION_TAG: "sunday"}
OVERRIDE = "target.overrides"
NETWORK = f"{OVERRIDE}.NetworkConfiguration"
LOGS = "logs:*LogEvents"
LOG_GROUP = "arn:aws:logs:eu-west-1:123456789012:log-group:airflow"

# The document itself.
SCHEMA = {
    "no object": Case("InvalidType", "the input", "must be object", {"": []}),
    "nothing at all": Case("MissingField", "source", "is required: The environment to migrate", {"": {}}),
    "no source": Case("MissingField", "source", "is required", {"source": ...}),
    "no target": Case("MissingField", "target", "is required", {"target": ...}),
    "no source name": Case("MissingField", "source.environment", "is required", {"source": {}}),
    "no target name": Case("MissingField", "target.environment", "is required", {"target.environment": ...}),
    "no version": Case("MissingField", "target.airflowVersion", "is required", {"target.airflowVersion": ...}),
    "misspelt section": Case("UnknownField", "sorce", "did you mean 'source'?", {"sorce": {}}),
    "misspelt option": Case("UnknownField", "options.historydays", "'historyDays'?", {"options.historydays": 3}),
    "unknown option": Case("UnknownField", "options.zzz", "known here: historyDays, dags", {"options.zzz": 3}),
    "misspelt log option": Case("UnknownField", "options.logs.day", "'days'?", {"options.logs": {"day": 1}}),
    "unknown mode": Case("InvalidValue", "mode", "'migrate' or 'rehearse' or 'rollback'", {"mode": "dry"}),
    "options as a list": Case("InvalidType", "options", "must be object", {"options": []}),
    "overrides as a list": Case("InvalidType", OVERRIDE, "must be object", {OVERRIDE: []}),
    "days as text": Case("InvalidType", "options.historyDays", "integer or null", {"options.historyDays": "7"}),
    "days as a truth": Case("InvalidType", "options.historyDays", "not true", {"options.historyDays": True}),
    "days as a fraction": Case("InvalidType", "options.historyDays", "not 1.5", {"options.historyDays": 1.5}),
    "no days": Case("InvalidValue", "options.historyDays", "at least 1", {"options.historyDays": 0}),
    "negative days": Case("InvalidValue", "options.historyDays", "at least 1", {"options.historyDays": -7}),
    "negative log days": Case("InvalidValue", "options.logs.days", "at least 1", {"options.logs": {"days": -1}}),
    "too many jobs": Case("InvalidValue", "options.jobs", "at most 16", {"options.jobs": 99}),
    "no poll": Case("InvalidValue", "options.pollSeconds", "at least 1", {"options.pollSeconds": 0}),
    "a poll of hours": Case("InvalidValue", "options.pollSeconds", "at most 3600", {"options.pollSeconds": 7200}),
    "endless drain": Case("InvalidValue", "options.drainSeconds", "at most 86400", {"options.drainSeconds": 10**6}),
    "unknown policy": Case("InvalidValue", "options.drainPolicy", "'wait'", {"options.drainPolicy": "kill"}),
    "unknown way with pickles": Case(
        "InvalidValue", "options.pickledXComs", "must be 'convert' or 'archive'", {"options.pickledXComs": "load"}
    ),
    "unknown conflict": Case("InvalidValue", "options.onConflict", "'overwrite'", {"options.onConflict": "replace"}),
    "xcoms as text": Case("InvalidType", "options.xcoms", "must be boolean", {"options.xcoms": "no"}),
    "empty pattern": Case("InvalidValue", "options.dags", "must not be empty", {"options.dags": ""}),
    "broken pattern": Case("InvalidValue", "options.dags", "not a regular expression", {"options.dags": "("}),
    "endless pattern": Case("InvalidValue", "options.dags", "at most 1000", {"options.dags": "a" * 1001}),
    "SQL as a table": Case("InvalidValue", "options.tables[1]", "match", {"options.tables": ["a", "b; drop table c"]}),
    "quoted table": Case("InvalidValue", "options.excludeTables[0]", "match", {"options.excludeTables": ['"log"']}),
    "unfit id": Case("InvalidValue", "migrationId", "must match", {"migrationId": "No Good"}),
    "path as id": Case("InvalidValue", "migrationId", "must match", {"migrationId": "../../other"}),
    "long name": Case("InvalidValue", "source.environment", "at most 80", {"source.environment": "a" * 81}),
    "line in a name": Case("InvalidValue", "source.environment", "must match", {"source.environment": "prod\n"}),
    "command as name": Case("InvalidValue", "source.environment", "match", {"source.environment": "$(reboot)"}),
    "markup as name": Case("InvalidValue", "target.environment", "match", {"target.environment": "<script>"}),
    "digit first": Case("InvalidValue", "target.environment", "must match", {"target.environment": "3-prod"}),
    "no region": Case("InvalidValue", "source.region", "must match", {"source.region": "Ireland"}),
    "two numbers": Case("InvalidValue", "target.airflowVersion", "must match", {"target.airflowVersion": "3.2"}),
    "version as number": Case("InvalidType", "target.airflowVersion", "string", {"target.airflowVersion": 3.2}),
    "release candidate": Case("InvalidValue", "target.airflowVersion", "match", {"target.airflowVersion": "3.3.0rc1"}),
    "table in and out": Case(
        "InvalidValue",
        "options.excludeTables",
        "log is in options.tables too",
        {"options.tables": ["log", "xcom"], "options.excludeTables": ["log"]},
    ),
    "no XComs, but their table": Case(
        "InvalidValue", "options.xcoms", "choose one", {"options.xcoms": False, "options.tables": ["xcom"]}
    ),
    "a rehearsal that pauses": Case(
        "InvalidValue", "options.quiesce", "pauses nothing", {"mode": "rehearse", "options.quiesce": True}
    ),
    "smoke test in a migration": Case(
        "InvalidValue", "options.smokeTest", "in a rehearsal's target", {"options.smokeTest": ["orders"]}
    ),
    "smoke test of everything": Case(
        "InvalidValue", "options.smokeTest", "at most 20 items", {"options.smokeTest": [f"d{n}" for n in range(21)]}
    ),
    "option as a DAG": Case("InvalidValue", "options.smokeTest[0]", "must match", {"options.smokeTest": ["--help"]}),
    "endless smoke test": Case("InvalidValue", "options.smokeTestMinutes", "1440", {"options.smokeTestMinutes": 9999}),
    "import version within 2.x": Case(
        "InvalidValue",
        "options.importVersion",
        "is for a 3.x target",
        {"target.airflowVersion": "2.11.2", "options.importVersion": "2.11.2"},
    ),
    "path within 2.x": Case(
        "InvalidValue",
        "options.path",
        "is for a 3.x target",
        {"target.airflowVersion": "2.11.2", "options.path": "through-2.11"},
    ),
    "import version on the direct path": Case(
        "InvalidValue",
        "options.importVersion",
        "is for the path through 2.11",
        {"options.path": "direct", "options.importVersion": "2.11.2"},
    ),
    "unknown way in": Case("InvalidValue", "options.wayIn", "must be 'auto'", {"options.wayIn": "by plane"}),
    "unknown path": Case("InvalidValue", "options.path", "must be 'auto'", {"options.path": "by plane"}),
    "rollback of nothing": Case("MissingField", "migrationId", "is required", {"": {"mode": "rollback"}}),
    "rollback with a source": Case(
        "InvalidValue", "source", "leave it out", {"mode": "rollback", "migrationId": "sunday"}
    ),
}

# What it names.
WORLD = {
    "no such source": Case("SourceNotFound", "source.environment", "check the name", {"source.environment": "nobody"}),
    "source being updated": Case("SourceNotAvailable", "source.environment", "UPDATING", {}, source(Status="UPDATING")),
    "source too old": Case("SourceTooOld", "source.environment", "1.10.12", {}, source(AirflowVersion="1.10.11")),
    "source newer than the target": Case(
        "Downgrade", "target.airflowVersion", "3.2.1 is older than the source's 3.3.1", {},
        source(AirflowVersion="3.3.1"),
    ),
    "Airflow 3 through 2.11": Case(
        "PathUnfit", "options.path", "the source runs Airflow 3.0.6, which is after 2.11",
        {"options.path": "through-2.11"}, source(AirflowVersion="3.0.6"),
    ),
    "region without MWAA": Case(
        "RegionUnsupported", "source.region", "no endpoint in eu-nowhere-1",
        {"source.region": "eu-nowhere-1"}, no_mwaa,
    ),
    "source is target": Case(
        "SameEnvironment", "target.environment", "is the source", {"target.environment": "prod-2-10"}
    ),
    "target is somebody's": Case("TargetExists", "target.environment", "exists already", {}, target()),
    "target is another's": Case(
        "TargetExists", "target.environment", "made by migration other", {}, target(Tags={MIGRATION_TAG: "other"})
    ),
    "target that failed": Case(
        "TargetUnfit", "target.environment", "is CREATE_FAILED; delete it", {"migrationId": "sunday"},
        target(Tags=OURS, Status="CREATE_FAILED"),
    ),
    "target that has had its hop": Case(
        "TargetUnfit", "target.environment", "runs Airflow 3.2.1; the import is for 2.11.2. Delete it",
        {"migrationId": "sunday", "options": {"path": "through-2.11"}}, target(Tags=OURS, AirflowVersion="3.2.1"),
    ),
    "target that was made for another path": Case(
        "TargetUnfit", "target.environment", "runs Airflow 2.11.2; the import is for 3.2.1. Delete it",
        {"migrationId": "sunday"}, target(Tags=OURS, AirflowVersion="2.11.2"),
    ),
    "downgrade": Case("Downgrade", "target.airflowVersion", "only goes forward", {"target.airflowVersion": "2.9.2"}),
    "import before the source": Case(
        "ImportVersionUnfit", "options.importVersion", "2.10.3 and 3.0",
        {"options.path": "through-2.11", "options.importVersion": "2.9.2"},
    ),
    "import at 3.x": Case(
        "ImportVersionUnfit", "options.importVersion", "2.10.3 and 3.0",
        {"options.path": "through-2.11", "options.importVersion": "3.0.6"},
    ),
    "directly from below": Case(
        "PathUnfit", "options.path", "3.2.1's own migrations begin at 2.7.0, and the source runs 2.5.1",
        {"options.path": "direct"}, source(AirflowVersion="2.5.1"),
    ),
    "a plugin where tasks have the database": Case(
        "WayInUnfit", "options.wayIn", "the import runs in Airflow 2.11",
        {"options.path": "through-2.11", "options.wayIn": "plugin"},
    ),
    "a plugin beside plugins of the input": Case(
        "WayInUnfit", "options.wayIn", "PluginsS3Path names others",
        {"options.path": "direct", "options.wayIn": "plugin", OVERRIDE: {"PluginsS3Path": "own.zip"}},
    ),
    "unknown field": Case("UnknownOverride", f"{OVERRIDE}.Nmae", "has no such field", {OVERRIDE: {"Nmae": "x"}}),
    "version overridden": Case(
        "OverrideInvalid", f"{OVERRIDE}.AirflowVersion", "given by", {OVERRIDE: {"AirflowVersion": "2.11.0"}}
    ),
    "source without a scheduler": Case(
        "SourceSchedulerDown", "source.environment", "no heartbeat for 20 minutes", {}, heartbeats(timedelta(hours=2))
    ),
    "both accesses before 3.2": Case(
        "OverrideInvalid", f"{OVERRIDE}.WebserverAccessMode", "PUBLIC_AND_PRIVATE is for Airflow 3.2 and later",
        {"target.airflowVersion": "3.0.6", OVERRIDE: {"WebserverAccessMode": "PUBLIC_AND_PRIVATE"}},
    ),
    "teams on 2.x": Case(
        "OverrideInvalid", f"{OVERRIDE}.Teams", "is for Airflow 3.2 and later; the target is to run 2.11.2",
        {
            "target.airflowVersion": "2.11.2",
            OVERRIDE: {"Teams": {"one": {"SourceBucketArn": "arn:aws:s3:::dags", "DagS3Path": "one"}}},
        },
    ),
    "an option's value is not printed": Case(
        "OverrideInvalid", OVERRIDE, "AirflowConfigurationOptions.smtp.smtp_password, type: <class 'int'>",
        {OVERRIDE: {"AirflowConfigurationOptions": {"smtp.smtp_password": 4711}}},
    ),
    "workers as text": Case("OverrideInvalid", OVERRIDE, "MaxWorkers", {OVERRIDE: {"MaxWorkers": "many"}}),
    "the source's folder": Case("FolderShared", f"{OVERRIDE}.DagS3Path", "overlap", {OVERRIDE: {"DagS3Path": "dags"}}),
    "folder in the source's": Case(
        "FolderShared", f"{OVERRIDE}.DagS3Path", "a folder of its own", {OVERRIDE: {"DagS3Path": "dags/new"}}
    ),
    "another region without its bucket": Case(
        "OverrideMissing", f"{OVERRIDE}.SourceBucketArn", "lies in another region",
        {"target.region": "eu-central-1", f"{OVERRIDE}": {"NetworkConfiguration": {}}},
    ),
    "source's bucket gone": Case(
        "BucketNotFound", "source.environment", "nowhere", {}, source(SourceBucketArn="arn:aws:s3:::nowhere")
    ),
    "target's bucket gone": Case(
        "BucketNotFound", f"{OVERRIDE}.SourceBucketArn", "DagBucketArns",
        {OVERRIDE: {"SourceBucketArn": "arn:aws:s3:::nope"}},
    ),
    "bucket without versions": Case(
        "BucketNotVersioned", f"{OVERRIDE}.SourceBucketArn", "turn on versioning",
        {OVERRIDE: {"SourceBucketArn": "arn:aws:s3:::plain"}}, bucket("plain", REGION, versioned=False),
    ),
    "bucket in another region": Case(
        "BucketInOtherRegion", f"{OVERRIDE}.SourceBucketArn", "lies in us-east-1",
        {OVERRIDE: {"SourceBucketArn": "arn:aws:s3:::far"}}, bucket("far", "us-east-1", versioned=True),
    ),
    "source's role gone": Case(
        "RoleNotFound", "source.environment", "does not exist", {}, source(ExecutionRoleArn=f"{ROLE}-gone")
    ),
    "target's role gone": Case(
        "RoleNotFound", f"{OVERRIDE}.ExecutionRoleArn", "does not exist", {OVERRIDE: {"ExecutionRoleArn": f"{ROLE}-x"}}
    ),
    "role that MWAA may not assume": Case(
        "RoleUnfit", f"{OVERRIDE}.ExecutionRoleArn", "trust policy",
        {OVERRIDE: {"ExecutionRoleArn": f"{ROLE}-lambda"}}, role("airflow-lambda", "lambda.amazonaws.com"),
    ),
    "role that writes the source's logs only": Case(
        "RoleLacksRights", "target.environment", "logs:PutLogEvents on", {}, rights((LOGS, f"{LOG_GROUP}-prod-2-10-*"))
    ),
    "role that tells the source's health only": Case(
        "RoleLacksRights", "target.environment", "not on arn:aws:airflow:eu-west-1:123456789012:environment/prod-3", {},
        rights(("airflow:PublishMetrics", "arn:aws:airflow:eu-west-1:123456789012:environment/prod-2-10")),
    ),
    "role that reads the source's DAGs only": Case(
        "RoleLacksRights", "target.environment", "s3:GetObject on", {},
        rights(("s3:GetObject*", "arn:aws:s3:::dags/dags/*")),
    ),
    "one subnet": Case("OverrideInvalid", OVERRIDE, "NetworkConfiguration", {NETWORK: {"SubnetIds": ["subnet-0a"]}}),
    "one subnet twice": Case(
        "NetworkUnfit", f"{NETWORK}.SubnetIds", "2 different", {NETWORK: {"SubnetIds": ["subnet-0a", "subnet-0a"]}}
    ),
    "unknown subnet": Case(
        "NetworkUnfit", f"{NETWORK}.SubnetIds", "does not exist", {NETWORK: {"SubnetIds": ["subnet-0a", "subnet-0b"]}}
    ),
    "unknown migration": Case(
        "MigrationUnknown", "migrationId", "no migration 'sunday'", {"": {"mode": "rollback", "migrationId": "sunday"}}
    ),
}  # fmt: skip


def changed(changes: dict[str, Any]) -> Any:
    document = copy.deepcopy(GOOD)
    for path, value in changes.items():
        if not path:
            return value
        *above, last = path.split(".")
        place = document
        for name in above:
            place = place.setdefault(name, {})
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return document


def created(mwaa: Environments) -> list[str]:
    """What a refused input must not have made: objects in the exchange bucket, and anything of Amazon MWAA."""
    objects = [item["Key"] for item in clients.s3().list_objects_v2(Bucket="exchange").get("Contents", [])]
    return objects + [call for call in mwaa.calls if call != "GetEnvironment"]


@pytest.mark.parametrize("case", SCHEMA.values(), ids=SCHEMA)
def test_an_input_that_is_wrong_in_itself(mwaa: Environments, call: Handler, case: Case) -> None:
    with pytest.raises(errors.InvalidInput) as refused:
        call(plan, input=changed(case.changes))
    problems = [
        text.partition(": ") for text in str(refused.value).split("; ") if f"{case.error} at {case.path}:" in text
    ]
    assert len(problems) == 1
    assert case.says in str(refused.value)
    assert created(mwaa) == []


@pytest.mark.parametrize("case", WORLD.values(), ids=WORLD)
def test_an_input_that_does_not_fit_what_is_there(mwaa: Environments, call: Handler, case: Case) -> None:
    if case.world is not None:
        case.world(mwaa)
    with pytest.raises(errors.MigrationError, match=f"^{case.path}") as refused:
        call(plan, input=changed(case.changes))
    assert type(refused.value).__name__ == case.error
    assert case.says in str(refused.value)
    assert created(mwaa) == []


@pytest.mark.parametrize(
    "world", [heartbeats(timedelta(hours=2), timedelta(minutes=3)), heartbeats(timedelta(days=5)), heartbeats()]
)
def test_a_source_whose_scheduler_may_live_is_not_refused(mwaa: Environments, call: Handler, world: World) -> None:
    world(mwaa)
    assert call(plan, input=changed({}))["path"]


def test_subnets_and_groups_of_other_vpcs(mwaa: Environments, call: Handler) -> None:
    ec2 = clients.ec2(REGION)
    vpcs = [ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"] for number in (1, 2)]

    def subnet(number: int, block: int, zone: str) -> str:
        made = ec2.create_subnet(
            VpcId=vpcs[number - 1], CidrBlock=f"10.{number}.{block}.0/24", AvailabilityZone=f"{REGION}{zone}"
        )
        return made["Subnet"]["SubnetId"]

    one, beside, same_zone, other = subnet(1, 1, "a"), subnet(1, 2, "b"), subnet(1, 3, "a"), subnet(2, 1, "b")
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpcs[1])["GroupId"]
    for subnets, groups, path, says in (
        ([one, other], [], "SubnetIds", "must be of one VPC"),
        ([one, same_zone], [], "SubnetIds", "one availability zone"),
        ([one, beside], [group], "SecurityGroupIds", "another VPC"),
        ([one, beside], ["sg-0123456789abcdef0"], "SecurityGroupIds", "does not exist"),
    ):
        network = {"SubnetIds": subnets} | ({"SecurityGroupIds": groups} if groups else {})
        with pytest.raises(errors.NetworkUnfit, match=rf"^{NETWORK}\.{path}: .*{says}"):
            call(plan, input=changed({NETWORK: network}))
    assert created(mwaa) == []
    assert call(plan, input=changed({NETWORK: {"SubnetIds": [one, beside]}}))["path"]


def test_a_role_that_allows_the_target_what_it_allows_the_source(mwaa: Environments, call: Handler) -> None:
    """With a pattern for the rehearsals of a source, whose targets have another name each time."""
    rehearsal = {"mode": "rehearse", "target.environment": "prod-2-10-rehearsal-0123456789"}
    rights((LOGS, f"{LOG_GROUP}-prod-2-10-Task:*"))(mwaa)
    with pytest.raises(errors.RoleLacksRights, match=r"\(with prod-2-10-rehearsal-\* for all rehearsals\)$"):
        call(plan, input=changed(rehearsal))
    rights((LOGS, f"{LOG_GROUP}-prod-2-10-Task:*"), (LOGS, f"{LOG_GROUP}-prod-2-10-rehearsal-*"))(mwaa)
    assert call(plan, input=changed(rehearsal))["path"]
    # What the role of the source does not allow is no concern of the target's own role.
    role("other", "airflow-env.amazonaws.com")(mwaa)
    assert call(plan, input=changed({OVERRIDE: {"ExecutionRoleArn": ROLE.replace("airflow", "other")}}))["path"]


def test_several_faults_are_told_together(mwaa: Environments, call: Handler) -> None:
    with pytest.raises(errors.InvalidInput) as refused:
        call(plan, input=changed({"source": {}, "mode": "dry", "options.dags": "", "options.nope": 1}))
    for name in ("MissingField at source.environment", "InvalidValue at mode", "InvalidValue at options.dags"):
        assert name in str(refused.value)
    assert "UnknownField at options.nope" in str(refused.value)

    mwaa.all["prod-2-10"].update(Status="UPDATING", AirflowVersion="2.11.2")
    with pytest.raises(errors.PreconditionsFailed) as unfit:
        call(plan, input=changed({"target.airflowVersion": "2.9.2", OVERRIDE: {"Nmae": 1}}))
    for name in ("SourceNotAvailable at source.environment", "Downgrade at target.airflowVersion", "UnknownOverride"):
        assert name in str(unfit.value)
    assert created(mwaa) == []


def test_there_are_as_many_as_promised() -> None:
    assert len(SCHEMA) + len(WORLD) >= 60
