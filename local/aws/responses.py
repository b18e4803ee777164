"""Answers of AWS services: JSON and XML as their protocols have them, and errors with their names."""

from __future__ import annotations

import json
import uuid
from typing import Any
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response


class AwsError(Exception):
    """An error that the caller of an API sees.

    `name` is the error's code (`ValidationException`), `status` the HTTP status that the API model gives it.
    """

    def __init__(self, name: str, message: str, status: int = 400, **members: Any) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.status = status
        self.members = members


def json_response(content: Any, status: int = 200) -> Response:
    return Response(
        json.dumps(content),
        status,
        {"Content-Type": "application/json", "x-amzn-RequestId": str(uuid.uuid4())},
    )


def error_response(error: AwsError, protocol: str) -> Response:
    """An error as a service's protocol has it: `json`, `rest-json`, `rest-xml`, `query` or `ec2`."""
    request_id = str(uuid.uuid4())
    headers = {"x-amzn-RequestId": request_id, "x-amz-request-id": request_id}
    if protocol in ("rest-xml", "query", "ec2"):
        code = f"<Code>{escape(error.name)}</Code><Message>{escape(error.message)}</Message>"
        if protocol == "rest-xml":
            body = f"<Error>{code}<RequestId>{request_id}</RequestId></Error>"
        else:
            error_element = f"<Error><Type>Sender</Type>{code}</Error>"
            body = f"<ErrorResponse>{error_element}<RequestId>{request_id}</RequestId></ErrorResponse>"
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
        return Response(body, error.status, {**headers, "Content-Type": "application/xml"})
    content = {"__type": error.name, "message": error.message, "Message": error.message, **error.members}
    return Response(
        json.dumps(content),
        error.status,
        {**headers, "Content-Type": "application/json", "x-amzn-ErrorType": error.name},
    )
