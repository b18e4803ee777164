"""InvokeRestApi: a call of Airflow's own REST API, and Airflow's answer."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import requests

from local.aws.responses import AwsError
from local.mwaa.airflow_processes import AirflowDidNotStart, AirflowProcesses

_SINCE = (2, 4, 3)


def invoke(airflow: AirflowProcesses, parameters: dict[str, Any]) -> dict[str, Any]:
    """
    Args:
        parameters: InvokeRestApi's members.

    Raises:
        AwsError: RestApiClientException or RestApiServerException with Airflow's answer; ValidationException where this
            Airflow has no such API; InternalServerException where its web server does not answer.
    """
    if airflow.installation.release < _SINCE:
        raise AwsError("ValidationException", "InvokeRestApi needs Airflow 2.4.3 or later.")
    try:
        base = airflow.start_rest_api()
    except AirflowDidNotStart as error:
        raise AwsError("InternalServerException", str(error)[-1000:], 500) from error
    query = urlencode(parameters.get("QueryParameters") or {}, doseq=True)
    answer = requests.request(
        parameters["Method"],
        f"{base}{parameters['Path']}{'?' if query else ''}{query}",
        json=parameters.get("Body"),
        headers=headers(base),
        timeout=60,
    )
    try:
        content = answer.json() if answer.content else {}
    except ValueError:
        content = answer.text
    if answer.status_code >= 400:
        kind = "RestApiClientException" if answer.status_code < 500 else "RestApiServerException"
        raise AwsError(kind, json.dumps(content), 400, RestApiStatusCode=answer.status_code, RestApiResponse=content)
    return {"RestApiStatusCode": answer.status_code, "RestApiResponse": content}


def headers(base: str) -> dict[str, str]:
    """What a request to an Airflow's REST API at that URL needs: from 3.0 on a token, which anybody here gets."""
    accept = {"Accept": "application/json"}
    if not base.endswith("/api/v2"):
        return accept
    token = requests.get(f"{base.removesuffix('/api/v2')}/auth/token", timeout=30).json()["access_token"]
    return {**accept, "Authorization": f"Bearer {token}"}
