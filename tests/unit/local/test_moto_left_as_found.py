"""An endpoint that has stopped leaves moto as it found it, for whatever uses it next in the same process."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local.aws.endpoint import Endpoint
from local.aws.iam.identity import Identities

DENY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket/*"}],
}


def test_moto_evaluates_bucket_policies_again() -> None:
    endpoint = Endpoint(Identities())
    endpoint.start()
    endpoint.stop()
    with mock_aws():
        s3 = boto3.client("s3", region_name="eu-west-1")
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_object(Bucket="bucket", Key="key")
        s3.put_bucket_policy(Bucket="bucket", Policy=json.dumps(DENY))
        with pytest.raises(ClientError, match="403"):
            s3.get_object(Bucket="bucket", Key="key")
