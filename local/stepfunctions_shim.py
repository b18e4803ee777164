"""What moto's Step Functions need to run our state machines: JSONata, and the state machine's own credentials.

`local.redrive` and `local.nested_executions` are the rest.

moto evaluates JSONata in a Java virtual machine that it does not bring; here jsonata-python does it. moto calls other
services with made-up credentials; here with a session of the state machine's role, so that the role's policies count.
"""

from __future__ import annotations

import functools
import hashlib
import json
import random
import sys
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import boto3
import jsonata  # type: ignore[import-untyped]
from botocore.config import Config
from moto.stepfunctions import models as moto_models
from moto.stepfunctions.parser.asl.eval import states, variable_store
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import boto_client
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends

from local import nested_executions, redrive
from local.identity import Credentials, Identities

#: Step Functions' own limit for a task is a year; what hangs here is stopped with the execution.
_TIMEOUT_SECONDS = 24 * 3600


def install(endpoint_url: str, identities: Identities) -> None:
    """Puts the shim in place, for the whole process."""
    moto_jsonata._eval_jsonata = evaluate
    # These modules have imported the function under their own names.
    for module in (moto_jsonata, states, variable_store):
        module.encode_jsonata_variable_declarations = declare_variables  # type: ignore[attr-defined]

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        credentials = (
            identities.session(state_credentials.role_arn, "StatesExecution")
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

    # The modules that call AWS are loaded with the parser, and each has the function under its own name.
    import moto.stepfunctions.parser.models  # noqa: F401

    # A program keeps nothing of an execution, and to parse ours takes a second.
    AmazonStateLanguageParser.parse = staticmethod(_parse)  # type: ignore[method-assign]
    _execute_what_cloudformation_makes()
    _stay_stopped()
    nested_executions.install()
    redrive.install()
    original = boto_client.boto_client_for
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions.") and getattr(module, "boto_client_for", None) is original:
            module.boto_client_for = client_for  # type: ignore[attr-defined]


def _execute_what_cloudformation_makes() -> None:
    """moto keeps state machines made by CloudFormation in the back end that does not execute; here there is one only.

    It also lets a second execution without a name clash with the first, where AWS makes up a name.
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
    """What StopExecution has stopped ends as ABORTED. moto leaves out what is left of the state that is evaluated, and
    where something there stumbles over that, the execution would end as FAILED."""

    def set_error(self: Environment, error: Any) -> None:
        if not isinstance(self.program_state(), ProgramStopped):
            _set_error(self, error)

    Environment.set_error = set_error  # type: ignore[method-assign]


def evaluate(expression: str) -> Any:
    """The value of a JSONata expression whose variables are declared in it.

    Raises:
        moto.stepfunctions...JSONataException: it cannot be evaluated; Step Functions' States.QueryEvaluationError.
    """
    try:
        compiled = jsonata.Jsonata(expression)
        for name, function in _FUNCTIONS.items():
            compiled.register_lambda(name, function)
        return _plain(compiled.evaluate(None))
    # jsonata-python's evaluator raises Python's own errors as well as its own for what an expression does wrong.
    except (jsonata.JException, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise moto_jsonata.JSONataException("UNKNOWN", f"{error} in {expression[-300:]}") from error


def declare_variables(bindings: Mapping[str, Any]) -> str:
    """Variables as JSONata assignments; moto's own version of this does not escape strings.

    Large values are kept here and looked up, because parsing them as JSONata takes a hundred times as long.
    """
    declared = []
    for name, value in bindings.items():
        text = json.dumps(value, default=_as_json)
        if len(text) > _LARGEST_LITERAL:
            key = hashlib.sha256(text.encode()).hexdigest()
            _LARGE_VALUES.setdefault(key, text)
            text = f'$largeValue("{key}")'
        declared.append(f"{name}:={text};")
    return "".join(declared)


_LARGEST_LITERAL = 200
#: Values by the hash of their JSON; as many as the executions of one local AWS have different ones.
_LARGE_VALUES: dict[str, str] = {}


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _plain(value: Any) -> Any:
    """jsonata-python's own list and number types as JSON's."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _partition(array: list[Any], size: float) -> list[list[Any]]:
    return [list(array[start : start + int(size)]) for start in range(0, len(array), int(size))]


def _range(first: float, last: float, step: float) -> list[int]:
    return list(range(int(first), int(last) + (1 if step > 0 else -1), int(step)))


def _hash(value: Any, algorithm: str) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()


def _random(seed: float | None = None) -> float:
    # Step Functions' $random is no source of secrets either.
    return random.Random(seed).random()


#: The functions that Step Functions adds to JSONata's own.
_FUNCTIONS = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": json.loads,
    "largeValue": lambda key: json.loads(_LARGE_VALUES[key]),
}
