"""The one place where AWS clients are made."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

from migration.aws import log_event_json

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_mwaa import MWAAClient
    from mypy_boto3_pricing import PricingClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient

# Throttles are retried here with the SDK's back-off first; what outlasts it, the state machine retries.
_RETRIES: Any = {"mode": "standard", "total_max_attempts": 5}

# How long a call of CloudWatch Logs may be on its way: the lease of a batch is reckoned from it.
READ_SECONDS = 20


@functools.cache
def _client(service: str, region: str | None, pool: int = 10) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]  # a name that is not a literal
        region_name=region,
        config=Config(
            retries=_RETRIES,
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=pool,
            # The host prefixes of Amazon MWAA (api., env.) do not resolve under an endpoint that somebody chose.
            inject_host_prefix=not (os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT_URL_MWAA")),
        ),
    )


def mwaa(region: str) -> MWAAClient:
    client: MWAAClient = _client("mwaa", region)
    return client


def s3(region: str | None = None, pool: int = 10) -> S3Client:
    """S3 in a region (default: the stack's), with `pool` connections for callers that use as many threads."""
    client: S3Client = _client("s3", region, pool)
    return client


@functools.cache
def s3_for_links() -> S3Client:
    """S3 whose pre-signed URLs hold for what KMS has encrypted, and name the region's own host.

    Signature 4 is not S3's default for them, and the host without a region answers a signed request with a redirect for
    a bucket's first day (S3, user guide, request redirection).
    """
    config = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
    client: S3Client = boto3.client("s3", config=config)
    return client


def kms(region: str | None = None) -> KMSClient:
    """KMS in a region (default: the stack's)."""
    client: KMSClient = _client("kms", region)
    return client


def iam() -> IAMClient:
    client: IAMClient = _client("iam", None)
    return client


def sns() -> SNSClient:
    client: SNSClient = _client("sns", None)
    return client


def states() -> SFNClient:
    client: SFNClient = _client("stepfunctions", None)
    return client


def ec2(region: str) -> EC2Client:
    client: EC2Client = _client("ec2", region)
    return client


@functools.cache
def pricing() -> PricingClient:
    """The AWS Price List; this endpoint has the prices of all regions. It gets little time: no report waits for it."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=10)
    client: PricingClient = boto3.client("pricing", region_name="us-east-1", config=config)
    return client


@functools.cache
def cloudwatch(region: str) -> CloudWatchClient:
    """CloudWatch's metrics in a region. It gets little time: what is asked of it can be done without."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=10)
    client: CloudWatchClient = boto3.client("cloudwatch", region_name=region, config=config)
    return client


@functools.cache
def regions_of_mwaa() -> list[str]:
    """The regions in which the SDK knows Amazon MWAA. It may be older than the newest region."""
    return boto3.session.Session().get_available_regions("mwaa")


@functools.cache
def logs(region: str, role_arn: str | None = None) -> CloudWatchLogsClient:
    """CloudWatch Logs in a region, as the function or as a role of another account.

    It tries each call once, because a second PutLogEvents would write its events a second time; who calls decides
    (`logs.api`). What it reads and writes goes through `logs.bodies`.
    """
    session = botocore.session.get_session()
    if role_arn is not None:
        fetcher = AssumeRoleCredentialFetcher(
            session.create_client, session.get_credentials(), role_arn, extra_args={"RoleSessionName": "mwaa-migrator"}
        )
        assumed = botocore.session.get_session()
        # The way that botocore's own credential providers take; there is no public setter for refreshable ones.
        assumed._credentials = DeferredRefreshableCredentials(  # type: ignore[attr-defined]
            method="assume-role", refresh_using=fetcher.fetch_credentials
        )
        session = assumed
    client: CloudWatchLogsClient = boto3.Session(botocore_session=session).client(
        "logs",
        region_name=region,
        config=Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=5,
            read_timeout=READ_SECONDS,
            max_pool_connections=20,
            parameter_validation=False,
        ),
    )
    log_event_json.install(client)
    return client
