"""CloudWatch Logs of a local AWS: a LogService in each region that is asked for."""

from __future__ import annotations

import os
import threading
from typing import Any

from moto.logs.models import logs_backends
from werkzeug.wrappers import Response

from local.aws.iam.policy_evaluation import Principal
from local.aws.logs.service import LogService
from local.aws.request import AwsRequest
from local.aws.responses import json_response

#: Seconds for which a stream's description lacks the times of what was last written to it; an hour in an account.
_DELAY = "STREAM_TIMES_DELAY_SECONDS"


class CloudWatchLogs:
    """Answers requests signed for `logs`. Without quotas, unless a region's service is limited."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._services: dict[str, LogService] = {}
        self._lock = threading.Lock()

    def handles(self, request: AwsRequest) -> bool:
        return request.service == "logs"

    def answer(self, request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        with self._lock:
            return json_response(self.region(request.region).call(request.operation.name, request.parameters))

    def region(self, name: str) -> LogService:
        """The service of a region."""
        service = self._services.setdefault(name, LogService())
        service.untimed = float(os.environ.get(_DELAY, "0"))
        # moto's CloudFormation makes log groups in moto's own service, from which they are taken.
        made = logs_backends[self._account][name].groups
        while made:
            group_name, group = made.popitem()
            service.group(group_name, retention=group.retention_in_days, key=group.kms_key_id)
        return service
