"""DAG buckets whose policies refuse what comes without the encryption that they demand, as S3 refuses it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.endpoint import Endpoint
from local.aws.iam.identity import Credentials, Identities
from migration.environments import dag_folder
from migration.environments.bucket_writer import BucketWriter
from migration.errors import CopyRefused

REGION = "eu-west-1"
HEADER, KEY_HEADER = "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"
# The rights of StageDags, which the template gives.
RIGHTS = {
    "Effect": "Allow",
    "Action": ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:GetEncryptionConfiguration", "kms:*"],
    "Resource": "*",
}


class World:
    """An endpoint, its administrator, and a function with StageDags' rights."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._numbers = itertools.count(1)
        administrator = endpoint.identities.administrator
        self.admin = self.client("s3", administrator)
        self.key: str = self.client("kms", administrator).create_key()["KeyMetadata"]["Arn"]
        iam = self.client("iam", administrator)
        role = iam.create_role(RoleName="StageDags", AssumeRolePolicyDocument='{"Statement": []}')["Role"]["Arn"]
        document = json.dumps({"Version": "2012-10-17", "Statement": [RIGHTS]})
        iam.put_role_policy(RoleName="StageDags", PolicyName="rights", PolicyDocument=document)
        self.s3 = self.client("s3", endpoint.identities.assume_role(role, "function"))

    def client(self, service: str, credentials: Credentials) -> Any:
        return self._endpoint.client(service, credentials, REGION)

    def make_bucket(self, *statements: dict[str, Any], default: dict[str, str] | None = None) -> str:
        """A bucket whose policy has statements about its objects, with a default encryption. Returns its name."""
        name = f"bucket-{next(self._numbers)}"
        self.admin.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        if default is not None:
            rule = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
            self.admin.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=rule)
        if statements:
            about = [{"Principal": "*", "Resource": f"arn:aws:s3:::{name}/*", **statement} for statement in statements]
            policy = {"Version": "2012-10-17", "Statement": about}
            self.admin.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
        return name

    def stage(self, source: str, target: str) -> int:
        """Copies the DAG folder and puts ours beside it, as StageDags does."""
        writer = BucketWriter.of(self.s3, target)
        names = dag_folder.users_files(self.s3, source, "dags")
        copied = dag_folder.copy_folder(self.s3, source, "dags", writer, "prod-3/dags", names)
        dag_folder.put_our_dags(writer, "prod-3/dags")
        return copied


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    endpoint = Endpoint(Identities())
    endpoint.start()
    yield World(endpoint)
    endpoint.stop()


@pytest.fixture
def source(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A bucket with two DAG files; of ours there is one."""
    (tmp_path / "mwaa_migrator_export.py").write_text("# ours")
    monkeypatch.setattr(dag_folder, "DAGS", tmp_path)
    bucket = world.make_bucket()
    for name in ("a.py", "pkg/b.py"):
        world.admin.put_object(Bucket=bucket, Key=f"dags/{name}", Body=b"# a DAG")
    return bucket


def deny(**condition: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": "s3:PutObject", "Condition": condition}


Demands = Callable[[World], tuple[list[dict[str, Any]], dict[str, str] | None]]
DEMANDS: dict[str, Demands] = {
    "any header": lambda world: ([deny(Null={HEADER: "true"})], {"SSEAlgorithm": "AES256"}),
    "AES256": lambda world: ([deny(StringNotEquals={HEADER: "AES256"})], {"SSEAlgorithm": "AES256"}),
    "a key's id": lambda world: (
        [deny(StringNotEquals={HEADER: "aws:kms"}), deny(StringNotEquals={KEY_HEADER: world.key})],
        {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": world.key},
    ),
    "KMS, but SSE-S3 is its default": lambda world: (
        [deny(StringNotEquals={HEADER: "aws:kms"})],
        {"SSEAlgorithm": "AES256"},
    ),
    "KMS, without a default": lambda world: ([deny(StringNotEquals={HEADER: "aws:kms"})], None),
}


@pytest.mark.parametrize("demands", DEMANDS.values(), ids=DEMANDS)
def test_a_bucket_gets_the_encryption_that_it_demands(world: World, source: str, demands: Demands) -> None:
    statements, default = demands(world)
    bucket = world.make_bucket(*statements, default=default)
    with pytest.raises(ClientError, match="explicit deny"):
        world.s3.put_object(Bucket=bucket, Key="x", Body=b"")
    assert world.stage(source, bucket) == 2
    listed = [item["Key"] for item in world.admin.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == [f"prod-3/dags/{name}" for name in ("a.py", "mwaa_migrator_export.py", "pkg/b.py")]
    kept = world.admin.head_object(Bucket=bucket, Key="prod-3/dags/a.py")
    if default and "KMSMasterKeyID" in default:
        assert (kept["ServerSideEncryption"], kept["SSEKMSKeyId"]) == ("aws:kms", world.key)


def test_each_refused_copy_is_named(world: World, source: str) -> None:
    for number in range(30):
        world.admin.put_object(Bucket=source, Key=f"dags/secret/{number:02}.py", Body=b"x")
    bucket = world.make_bucket()
    closed = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*/secret/*",
    }
    world.admin.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [closed]}))
    with pytest.raises(CopyRefused) as refused:
        world.stage(source, bucket)
    message = str(refused.value)
    began = (
        f"30 of 32 objects could not be copied to s3://{bucket}/prod-3/dags/: AccessDenied: secret/00.py, secret/01.py"
    )
    assert message.startswith(began)
    for told in ("secret/19.py and 10 more: User: ", "explicit deny", "DagBucketArns"):
        assert told in message
    # What could be copied is there.
    assert world.admin.head_object(Bucket=bucket, Key="prod-3/dags/pkg/b.py")["ContentLength"] == 7


def test_a_key_that_is_not_the_buckets_default_is_refused_with_its_remedy(world: World, source: str) -> None:
    bucket = world.make_bucket(deny(StringNotEquals={KEY_HEADER: world.key}))
    with pytest.raises(CopyRefused, match=r"2 of 2 objects .*: a\.py, pkg/b\.py: .*the bucket's default encryption"):
        world.stage(source, bucket)


def test_the_versions_of_a_file_are_not_listed(world: World, source: str) -> None:
    """The function may not even list them, and files that were deleted do not come back."""
    world.admin.put_bucket_versioning(Bucket=source, VersioningConfiguration={"Status": "Enabled"})
    for content in (b"1", b"22"):
        world.admin.put_object(Bucket=source, Key="dags/a.py", Body=content)
    world.admin.delete_object(Bucket=source, Key="dags/pkg/b.py")
    with pytest.raises(ClientError, match="s3:ListBucketVersions"):
        world.s3.list_object_versions(Bucket=source)
    bucket = world.make_bucket()
    assert world.stage(source, bucket) == 1
    assert world.admin.get_object(Bucket=bucket, Key="prod-3/dags/a.py")["Body"].read() == b"22"
