"""ARNs and host names of the local account: in China and GovCloud their partition is another one."""

from __future__ import annotations

from functools import lru_cache

from botocore.loaders import create_loader
from moto.utilities.utils import get_partition


def partition(region: str) -> str:
    """`aws`, `aws-cn` or `aws-us-gov`, and so on."""
    return str(get_partition(region))


def arn(service: str, region: str, account: str, resource: str) -> str:
    """An ARN of a service that is regional; `service` is IAM's name for it, such as `states`."""
    return f"arn:{partition(region)}:{service}:{region}:{account}:{resource}"


def iam_arn(region: str, account: str, resource: str) -> str:
    return f"arn:{partition(region)}:iam::{account}:{resource}"


def s3_arn(region: str, path: str) -> str:
    """The ARN of a bucket, or of an object: `bucket/key`."""
    return f"arn:{partition(region)}:s3:::{path}"


@lru_cache
def url_suffix(region: str) -> str:
    """The domain of a region's endpoints, CloudFormation's AWS::URLSuffix."""
    known = create_loader().load_data("partitions")["partitions"]
    return next(str(one["outputs"]["dnsSuffix"]) for one in known if one["id"] == partition(region))
