"""Step Functions' ValidateStateMachineDefinition, which moto does not have."""

from __future__ import annotations

import functools
import json
from typing import Any

from werkzeug.wrappers import Response

from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from local.aws.responses import json_response
from local.aws.stepfunctions import definitions

_MOST = 100


class DefinitionValidator:
    """Answers that one operation, with errors and without warnings."""

    def handles(self, request: AwsRequest) -> bool:
        return request.service == "stepfunctions" and request.operation.name == "ValidateStateMachineDefinition"

    def answer(self, request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        found = _findings(request.parameters["definition"])
        diagnostics = [
            {"severity": "ERROR", "code": one.code, "message": one.message, "location": one.location} for one in found
        ]
        most = int(request.parameters.get("maxResults") or _MOST)
        result = {
            "result": "FAIL" if found else "OK",
            "diagnostics": diagnostics[:most],
            "truncated": len(found) > most,
        }
        return json_response(result)


@functools.lru_cache
def _findings(definition: str) -> list[definitions.Finding]:
    try:
        document = json.loads(definition)
    except ValueError as error:
        return [definitions.Finding("INVALID_JSON_DESCRIPTION", str(error), "")]
    (found,) = definitions.findings([document])
    return found
