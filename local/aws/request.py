"""Reads which operation of which service an HTTP request calls, by the services' own API models.

moto's router and parsers, which work on botocore's models, do the reading; so what is read here is what moto executes.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore.exceptions import UnknownServiceError
from defusedxml import DefusedXmlException, ElementTree
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

#: The services whose name in a signature differs from the name of their model in botocore.
_MODEL_OF_SIGNING_NAME = {
    "states": "stepfunctions",
    "airflow": "mwaa",
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
    "elasticmapreduce": "emr",
}

_CREDENTIAL = re.compile(r"Credential=([^/,]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")


class UnknownOperation(Exception):
    """The service's API model has no operation for the request."""


@dataclass(frozen=True)
class AwsRequest:
    """One call of an AWS API.

    Attributes:
        service: the model's name in botocore: `stepfunctions`, `mwaa`, `s3`.
        signing_name: the service's name in the signature: `states`, `airflow`, `s3`.
        access_key_id: who signed; None for an unsigned request.
        parameters: the input's members by their names in the model. Of S3 only those in the path and the query, and the
            keys of DeleteObjects, because bodies can be large there.
        invalid: why the input does not fit the model, as a sentence; empty if it does.
    """

    service: str
    signing_name: str
    region: str
    access_key_id: str | None
    operation: OperationModel
    parameters: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    invalid: str = ""

    @property
    def protocol(self) -> str:
        return str(self.operation.service_model.protocol)


def credential(environ: dict[str, Any]) -> tuple[str, str, str] | None:
    """(access key id, region, signing name) of a request signed in its header or its URL; None if it is unsigned."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if signed is not None:
        return signed.group(1), signed.group(3), signed.group(4).lower()
    query = parse_qs(environ.get("QUERY_STRING", ""))
    if "X-Amz-Credential" in query:
        parts = query["X-Amz-Credential"][0].split("/")
        if len(parts) == 5:
            return parts[0], parts[2], parts[3].lower()
    if "AWSAccessKeyId" in query:  # a pre-signed URL of signature version 2, which only S3 still takes
        return query["AWSAccessKeyId"][0], "us-east-1", "s3"
    return None


def read(environ: dict[str, Any]) -> AwsRequest:
    """Reads a WSGI request, whose body can be read again afterwards.

    Raises:
        UnknownOperation: the service has no API model here, or the model has no such operation.
    """
    who = credential(environ)
    access_key_id, region, signing_name = who if who is not None else (None, "us-east-1", "s3")
    service = _MODEL_OF_SIGNING_NAME.get(signing_name, signing_name)
    try:
        model = get_service_model(service)
    except UnknownServiceError as error:
        raise UnknownOperation(f"there is no service {signing_name!r}") from error
    return (
        _read_s3(environ, access_key_id, region)
        if service == "s3"
        else _read_modelled(environ, model, signing_name, access_key_id, region)
    )


def _read_modelled(
    environ: dict[str, Any], model: ServiceModel, signing_name: str, access_key_id: str | None, region: str
) -> AwsRequest:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    request = Request({**environ, "wsgi.input": io.BytesIO(body)})
    operation, uri_parameters = _route(model.service_name, request)
    parser = PROTOCOL_PARSERS[determine_request_protocol(model, request.content_type)]
    parameters: dict[str, Any] = {}
    invalid = ""
    try:
        parameters = parser(operation).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": body,
                "url_path": request.path,
                "url_params": uri_parameters,
            }
        )
    except (RequestParserError, ValueError, TypeError, AttributeError) as error:
        invalid = f"the request could not be read as {operation.name}'s input: {error}"
    return AwsRequest(
        model.service_name,
        signing_name,
        region,
        access_key_id,
        operation,
        parameters,
        {name.lower(): value for name, value in request.headers.items()},
        invalid,
    )


def _read_s3(environ: dict[str, Any], access_key_id: str | None, region: str) -> AwsRequest:
    request = Request({**environ, "wsgi.input": io.BytesIO()})
    operation, uri_parameters = _route("s3", request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    parameters: dict[str, Any] = dict(uri_parameters)
    for argument, name in (("versionId", "VersionId"), ("prefix", "Prefix"), ("delimiter", "Delimiter")):
        if argument in request.args:
            parameters[name] = request.args[argument]
    if "x-amz-copy-source" in headers:
        parameters["CopySource"] = unquote(headers["x-amz-copy-source"]).lstrip("/")
    if operation.name == "DeleteObjects":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        parameters["Keys"] = _deleted_keys(body)
    return AwsRequest("s3", "s3", region, access_key_id, operation, parameters, headers)


def _deleted_keys(body: bytes) -> list[str]:
    try:
        document = ElementTree.fromstring(body)
    except (ElementTree.ParseError, DefusedXmlException):
        return []
    return [element.text or "" for element in document.iter() if element.tag.rsplit("}", 1)[-1] == "Key"]


def _route(service: str, request: Request) -> tuple[OperationModel, dict[str, Any]]:
    try:
        return get_service_router(service).match(request)
    except NotFound as error:
        raise UnknownOperation(f"{service} has no operation for {request.method} {request.path}") from error
