"""The local Price List, asked over HTTP by the code that the report function runs."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from migration.report import price


def test_a_class_has_a_price(aws: AwsWithMwaa) -> None:
    pricing = aws.client("pricing")
    assert price._hourly(pricing, "mw1.small", aws.region) == 0.49
    assert price._hourly(pricing, "mw1.unheard-of", aws.region) is None


def test_only_what_is_here_is_answered(aws: AwsWithMwaa) -> None:
    with pytest.raises(ClientError, match="GetAttributeValues is not answered here"):
        aws.client("pricing").get_attribute_values(ServiceCode="AmazonMWAA", AttributeName="size")
