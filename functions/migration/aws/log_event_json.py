"""The two hot shapes of CloudWatch Logs' API as plain JSON.

botocore walks through every member of every event, on the way in and on the way out, which is more than all the rest
of a copy takes (measured in docs/benchmarks.md). Events are integers and strings, for which JSON needs no such walk.
What is replaced here, through botocore's own events, is only that walk; signing, credentials, endpoints and errors stay
botocore's.
"""

from __future__ import annotations

import json
from typing import Any

_READS = ("GetLogEvents", "FilterLogEvents")


def install(client: Any) -> None:
    """Makes a CloudWatch Logs client, made with `parameter_validation=False`, read and write events as plain JSON."""
    events = client.meta.events
    for operation in _READS:
        events.register(f"before-parse.cloudwatch-logs.{operation}", _read)
    events.register("before-parameter-build.cloudwatch-logs.PutLogEvents", _keep_events)
    events.register("before-call.cloudwatch-logs.PutLogEvents", _write)


def _read(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    if response_dict["status_code"] == 200:
        customized_response_dict.update(json.loads(response_dict["body"]))
        response_dict["body"] = b"{}"


def _keep_events(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["log_events"] = params.pop("logEvents")


def _write(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    request = json.loads(params["body"])
    request["logEvents"] = context.pop("log_events")
    try:
        params["body"] = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, which JSON can hold and UTF-8 cannot.
        params["body"] = json.dumps(request, separators=(",", ":")).encode()
