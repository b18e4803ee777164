"""How a target's settings would differ from the source's, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from migration.environments import requests
from migration.environments.requests import Files
from migration.model import Migration

if TYPE_CHECKING:
    from botocore.model import StructureShape

# What the staging names anew in each environment; that it does is no news.
_STAGED = {
    "DagS3Path",
    *(f"{name}S3{what}" for name in ("Requirements", "Plugins", "StartupScript") for what in ("Path", "ObjectVersion")),
}
_BY_KEY = ("AirflowConfigurationOptions", "Tags")


class Difference(NamedTuple):
    """A field (`MaxWorkers`, or an option's name) with its values; None where an environment does not have it."""

    field: str
    source: Any
    target: Any


#: In place of an option's value that the input does not show: it can be a secret.
KEPT_BACK = "(set)"


def of(plan: Migration, source: dict[str, Any], shape: StructureShape) -> tuple[list[Difference], list[str]]:
    """What the target has otherwise in the end, and a sentence for each thing that was changed by the versions.

    `source` is GetEnvironment's answer, `shape` CreateEnvironment's input.
    """
    made = _request(plan, source, shape, plan["importVersion"], plan["overrides"])
    final = _request(plan, source, shape, plan["target"]["airflowVersion"], plan["overrides"])
    # Beside these a hop brings fields that only its version takes; the overrides have them already.
    options = _after_hops(plan, source) if plan["hops"] else final.options
    target = {
        **made.request,
        "AirflowVersion": plan["target"]["airflowVersion"],
        "AirflowConfigurationOptions": options,
    }
    # GetEnvironment tells more of the logging than CreateEnvironment takes.
    as_it_is = _request(plan, source, shape, source["AirflowVersion"], {}).request
    before = {**source, "LoggingConfiguration": as_it_is.get("LoggingConfiguration")}
    return list(_fields(plan, before, target, shape)), list(dict.fromkeys([*plan["notes"], *made.notes, *final.notes]))


def _request(
    plan: Migration, source: dict[str, Any], shape: StructureShape, version: str, overrides: dict[str, Any]
) -> requests.Settings:
    return requests.create_request(
        source,
        shape=shape,
        name=plan["target"]["environment"],
        airflow_version=version,
        overrides=overrides,
        files=Files(plan["target"]["dagsPath"]),
        tags={},
    )


def _after_hops(plan: Migration, source: dict[str, Any]) -> dict[str, str]:
    return requests.hop_request(
        source,
        {"Name": plan["target"]["environment"]},
        airflow_version=plan["target"]["airflowVersion"],
        overrides=plan["overrides"],
        files=Files(plan["target"]["dagsPath"]),
    ).options


def _fields(
    plan: Migration, source: dict[str, Any], target: dict[str, Any], shape: StructureShape
) -> Iterator[Difference]:
    for field in shape.members:
        if field in _STAGED:
            continue
        old, new = source.get(field), target.get(field)
        if field in _BY_KEY:
            yield from _keys(field, old or {}, new or {}, plan["overrides"].get(field) or {})
        elif old != new:
            yield Difference(field, old, new)
    if source["DagS3Path"] != plan["target"]["dagsPath"]:
        yield Difference("DagS3Path", source["DagS3Path"], plan["target"]["dagsPath"])


def _keys(field: str, old: dict[str, str], new: dict[str, str], given: dict[str, str]) -> Iterator[Difference]:
    """Option by option. Values of the source's options are kept back, those of tags and of the input are not."""
    secret = field == "AirflowConfigurationOptions"
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if before != after and not key.startswith("aws:"):
            shown = KEPT_BACK if secret and before is not None else before
            named = after if not secret or key in given or after is None else KEPT_BACK
            yield Difference(key, shown, named)
