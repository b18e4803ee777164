"""The one AWS endpoint: reads each request, checks its permissions, and passes it to the service that answers it.

What no service that was added handles goes to moto.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, runtime_checkable
from wsgiref.types import StartResponse

import boto3
from botocore.config import Config
from moto.core.config import default_user_config
from moto.iam.access_control import PermissionResult
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend, ManagedPolicy
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import FakeBucket
from moto.settings import load_iam_aws_managed_policies
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Response

from local.aws import alarm_actions, s3_listing
from local.aws import request as aws_request
from local.aws.iam import policy_simulation, propagation
from local.aws.iam.authorisation import Authorisation
from local.aws.iam.call_record import CallRecord
from local.aws.iam.identity import Credentials, Identities
from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest, UnknownOperation
from local.aws.responses import AwsError, error_response
from local.aws.stepfunctions import patches


class Service(Protocol):
    """Answers the requests of one service instead of moto."""

    def handles(self, request: AwsRequest) -> bool: ...

    def answer(self, request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        """
        Raises:
            AwsError: the error that the caller gets.
        """


@runtime_checkable
class Tagged(Service, Protocol):
    """A service whose resources have tags, which policies can have as a condition (`aws:ResourceTag`)."""

    def tags_of(self, request: AwsRequest) -> Mapping[str, str]:
        """The tags of the resource that a request is about."""


Interceptor = Callable[[AwsRequest, Principal, Callable[[], Response]], Response]


class _Moto(DomainDispatcherApplication):
    """moto's server, which by itself searches its own folder and hundreds of patterns for each request."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._backends: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in self._backends:
            self._backends[host] = super().get_backend_for_host(host)
        return self._backends[host]


# Its web applications have no state, and take seconds to make.
_moto = functools.cache(_Moto)
_managed_policies = functools.cache(lambda: json.loads(aws_managed_policies_data))


def _make_managed_policies(self: IAMBackend) -> list[ManagedPolicy]:
    """As moto makes them, which parses a megabyte for each of the partitions, and again when it is reset."""
    policies = _managed_policies().items() if load_iam_aws_managed_policies() else ()
    return [AWSManagedPolicy.from_data(name, self.account_id, self.region_name, policy) for name, policy in policies]


_bucket_permission = FakeBucket.get_permission


def _configure_moto(*, like_aws: bool) -> None:
    """With state machines that are executed and AWS's managed policies; without them moto is what it is elsewhere.

    The endpoint evaluates bucket policies itself, because moto takes a conditional Deny for an unconditional one.
    """
    permission = (lambda *_: PermissionResult.NEUTRAL) if like_aws else _bucket_permission
    FakeBucket.get_permission = permission  # type: ignore[method-assign]
    default_user_config["stepfunctions"]["execute_state_machine"] = like_aws
    default_user_config["iam"]["load_aws_managed_policies"] = like_aws


class Endpoint:
    """The endpoint's WSGI application and its server on a free port of 127.0.0.1."""

    def __init__(self, identities: Identities) -> None:
        self.identities = identities
        self.record = CallRecord()
        self._authorisation = Authorisation(identities, self.record)
        #: For injecting faults: answers in place of the service, from the request, its caller and what would carry it
        #: out; or raises AwsError.
        self.interceptor: Interceptor | None = None
        # moto looks at the condition of a write and writes then; in between another may do the same.
        self._conditional_writes = threading.Lock()
        self._writes = itertools.count(1)
        self._last_write: dict[str, int] = {}
        self._services: list[Service] = []
        self._tagged: list[Tagged] = []
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    def add(self, service: Service) -> None:
        self._services.append(service)
        if isinstance(service, Tagged):
            self._tagged.append(service)

    @property
    def url(self) -> str:
        """AWS_ENDPOINT_URL."""
        if self._server is None:
            raise RuntimeError("the endpoint is not started")
        return f"http://127.0.0.1:{self._server.port}"

    def client(self, service: str, credentials: Credentials, region: str, **config: Any) -> Any:
        """A client of boto3's that talks to this endpoint; `config` has further settings of its Config."""
        return boto3.client(
            service,  # type: ignore[call-overload]  # a name that is not a literal
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            config=Config(inject_host_prefix=False, **config),
        )

    def last_write(self, bucket: str) -> int:
        """Another number after each request that may have changed something in a bucket."""
        return self._last_write.get(bucket, 0)

    def start(self) -> None:
        IAMBackend._init_aws_policies = _make_managed_policies  # type: ignore[method-assign]
        # A thousand machine images take a second to make. Whoever starts a machine here registers its own.
        os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
        _configure_moto(like_aws=True)
        # Whatever another user of this process has left has none of AWS's policies.
        moto_api_backend.reset()
        # Nothing here depends on what moto does not make (alarms, dashboards); docs/local-aws.md names it.
        warnings.filterwarnings("ignore", message="Tried to parse .* not supported by moto's CloudFormation")
        # MotoRequestHandler keeps the case of S3 metadata. It logs each request, which nobody wants in a terminal.
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=MotoRequestHandler)
        os.environ["MOTO_PORT"] = str(self._server.port)
        patches.install(self.url, self.identities)
        s3_listing.install()
        policy_simulation.install()
        propagation.install()
        alarm_actions.install()
        self._thread = threading.Thread(target=self._server.serve_forever, name="endpoint", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None
        # moto's state belongs to the process; the next user of it must find nothing of this one.
        _configure_moto(like_aws=False)
        moto_api_backend.reset()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            request = aws_request.read(environ)
        except UnknownOperation as error:
            return error_response(AwsError("UnknownOperationException", str(error), 404), "json")(
                environ, start_response
            )
        try:
            principal = self._authorisation.check(request, lambda: self._tags_of(request))
            if self.interceptor is not None:
                response = self.interceptor(request, principal, lambda: self._carry_out(request, environ, principal))
            else:
                response = self._carry_out(request, environ, principal)
        except AwsError as error:
            response = error_response(error, request.protocol)
        return response(environ, start_response)

    def _carry_out(self, request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        service = next((service for service in self._services if service.handles(request)), None)
        if service is not None:
            return service.answer(request, environ, principal)
        is_conditional = request.service == "s3" and ("HTTP_IF_MATCH" in environ or "HTTP_IF_NONE_MATCH" in environ)
        with self._conditional_writes if is_conditional else contextlib.nullcontext():
            response = Response.from_app(_moto(), environ)
        if request.service == "s3" and environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            self._last_write[str(request.parameters.get("Bucket"))] = next(self._writes)
        missing = request.operation.name in ("GetObject", "HeadObject") and response.status_code == 404
        if request.service == "s3" and missing and not self._authorisation.may_list(request, principal):
            # S3 says that an object is missing only to callers that may list the bucket.
            raise AwsError("AccessDenied", "Access Denied", 403)
        return response

    def _tags_of(self, request: AwsRequest) -> dict[str, str]:
        """The tags of the resource that a request is about, as condition keys."""
        return {
            f"aws:resourcetag/{name.lower()}": value
            for service in self._tagged
            if service.handles(request)
            for name, value in service.tags_of(request).items()
        }
