"""What moto's Step Functions need to run our state machines: JSONata, and the state machine's own credentials.

`local.aws.stepfunctions.redrive` and `local.aws.stepfunctions.nested_executions` are the rest.

moto evaluates JSONata in a Java virtual machine that it does not bring; here jsonata-python does it. moto calls other
services with made-up credentials; here with a session of the state machine's role, so that the role's policies count.
"""

from __future__ import annotations

import functools
import sys
import uuid
from typing import Any

import boto3
from botocore.config import Config
from moto.stepfunctions import models as moto_models
from moto.stepfunctions.parser.asl.eval import states, variable_store
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import boto_client
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends

from local.aws.iam.identity import Credentials, Identities
from local.aws.stepfunctions import history, jsonata_evaluation, nested_executions, redrive

#: Step Functions lets a task run for a year; one that hangs here is stopped with its execution.
_TIMEOUT_SECONDS = 24 * 3600


def install(endpoint_url: str, identities: Identities) -> None:
    """Changes moto for the whole process."""
    moto_jsonata._eval_jsonata = jsonata_evaluation.evaluate
    # These modules have imported the function by name.
    for module in (moto_jsonata, states, variable_store):
        module.encode_jsonata_variable_declarations = jsonata_evaluation.declare_variables  # type: ignore[attr-defined]

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        credentials = (
            identities.assume_role(state_credentials.role_arn, "StatesExecution")
            if state_credentials is not None
            else identities.service
        )
        return client(region, service, credentials)

    # A client takes longer to make than most of what it is asked for.
    @functools.cache
    def client(region: str, service: str, credentials: Credentials) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=endpoint_url,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            config=Config(
                parameter_validation=False,
                inject_host_prefix=False,
                retries={"max_attempts": 0, "total_max_attempts": 1},
                connect_timeout=10,
                read_timeout=_TIMEOUT_SECONDS,
            ),
        )

    # The modules that call AWS are loaded with the parser, and have imported the function by name.
    import moto.stepfunctions.parser.models  # noqa: F401

    # A program keeps nothing of an execution, and to parse ours takes a second.
    AmazonStateLanguageParser.parse = staticmethod(_parse)  # type: ignore[method-assign]
    _execute_what_cloudformation_makes()
    _stay_stopped()
    nested_executions.install()
    redrive.install()
    history.install()
    original = boto_client.boto_client_for
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions.") and getattr(module, "boto_client_for", None) is original:
            module.boto_client_for = client_for  # type: ignore[attr-defined]


def _execute_what_cloudformation_makes() -> None:
    """Leaves one back end, the one that executes; moto makes CloudFormation's state machines in another.

    Gives executions without a name one of their own, as AWS does; in moto the second clashes with the first.
    """
    moto_models.stepfunctions_backends = stepfunctions_parser_backends  # type: ignore[assignment]
    start = StepFunctionsParserBackend.start_execution

    def start_execution(self: Any, state_machine_arn: str, name: str | None = None, *rest: Any, **named: Any) -> Any:
        return start(self, state_machine_arn, name or str(uuid.uuid4()), *rest, **named)

    StepFunctionsParserBackend.start_execution = start_execution  # type: ignore[method-assign]


# As moto has them, however often they are put in place here.
_set_error = Environment.set_error
_parse = functools.lru_cache(maxsize=64)(AmazonStateLanguageParser.parse)


def _stay_stopped() -> None:
    """Lets an execution that StopExecution has stopped end as ABORTED. moto skips the rest of the state that it
    evaluates, and an error that follows from that would end the execution as FAILED."""

    def set_error(self: Environment, error: Any) -> None:
        if not isinstance(self.program_state(), ProgramStopped):
            _set_error(self, error)

    Environment.set_error = set_error  # type: ignore[method-assign]
