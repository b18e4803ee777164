"""What the subnets of the functions in a VPC must reach, read from their permissions: these allow what is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import botocore.session

from tools.markdown_table import table
from tools.template import Content, statements, template

# The endpoint services, `com.amazonaws.<region>.<name>`, by the prefix of an action. `airflow` has one for each host.
_SERVICES = {"s3": "s3", "kms": "kms", "sns": "sns", "states": "states", "logs": "logs", "pricing": "pricing.api"}
# S3 calls KMS itself, so whoever reads or writes what is encrypted does not.
_BY_S3 = {"kms:Decrypt", "kms:GenerateDataKey"}
_WITHOUT = {
    "pricing.api": "The report has no price. The endpoint is us-east-1's alone",
    "xray": "There are no traces",
}
_TRACES = "xray"


class Endpoint(NamedTuple):
    """An endpoint service and the functions that call it, by their logical ids."""

    name: str
    functions: list[str]


def functions_in_vpc() -> dict[str, Content]:
    """The properties of the functions that run in the VPC whose subnets the stack is given."""
    return {
        name: resource["Properties"]
        for name, resource in template()["Resources"].items()
        if "VpcConfig" in resource.get("Properties", {})
    }


def endpoints() -> list[Endpoint]:
    """What those functions call, in the order of its first caller.

    Raises KeyError for an action of a service that has no name here.
    """
    callers: dict[str, list[str]] = {}
    for function, properties in functions_in_vpc().items():
        actions = [action for statement in statements(properties) for action in statement["Action"]]
        for name in dict.fromkeys(_names(actions)):
            callers.setdefault(name, []).append(function)
    if template()["Globals"]["Function"].get("Tracing") == "Active":
        callers[_TRACES] = list(functions_in_vpc())
    return [Endpoint(name, functions) for name, functions in callers.items()]


def _names(actions: list[str]) -> Iterator[str]:
    model: Any = botocore.session.get_session().get_service_model("mwaa")
    for action in actions:
        service, _, operation = action.partition(":")
        if service == "airflow":
            yield f"airflow.{model.operation_model(operation).endpoint['hostPrefix'].removesuffix('.')}"
        elif action not in _BY_S3:
            yield _SERVICES[service]


def page() -> str:
    """The endpoints as a table."""
    everybody = len(functions_in_vpc())
    rows = []
    for endpoint in endpoints():
        named = ", ".join(f"`{name.removesuffix('Function')}`" for name in endpoint.functions)
        callers = "all of them" if len(endpoint.functions) == everybody else named
        without = _WITHOUT.get(endpoint.name, "They fail")
        rows.append(f"| `com.amazonaws.<region>.{endpoint.name}` | {callers} | {without} |")
    return table(("VPC endpoint", "for", "without it"), rows)
