"""Which operation a request calls."""

from __future__ import annotations

import io
from typing import Any

import pytest

from local.aws import request
from local.aws.request import UnknownOperation


def signed(signing_name: str, **headers: str) -> dict[str, Any]:
    """A WSGI request that is signed for a service."""
    scope = f"AKIA/20260304/eu-west-1/{signing_name}/aws4_request"
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "RAW_URI": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b"{}"),
        "CONTENT_LENGTH": "2",
        "CONTENT_TYPE": "application/x-amz-json-1.1",
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        **headers,
    }


def test_emr_signs_with_a_name_of_its_own() -> None:
    found = request.read(signed("elasticmapreduce", HTTP_X_AMZ_TARGET="ElasticMapReduce.DescribeStep"))
    assert (found.service, found.operation.name) == ("emr", "DescribeStep")


def test_a_service_without_a_model_is_an_unknown_operation() -> None:
    with pytest.raises(UnknownOperation, match="there is no service 'nonsense'"):
        request.read(signed("nonsense"))
