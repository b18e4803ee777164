"""What makes a rehearsal out of a migration's input: a throw-away target, an id, no cut-over."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from migration.aws import s3_object
from migration.errors import InputNotFound, InvalidInput
from migration.exchange import layout
from migration.json_schema import Fault
from migration.plan import migration_input

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Amazon MWAA's limit of an environment's name.
_LONGEST = 80
_NAME = re.compile(r".-rehearsal-[0-9a-f]{10}\Z")


def read(given: Any, s3: S3Client, bucket: str) -> Any:
    """An execution's input: itself, or what the object has that `{"input": "s3://..."}` or `{"input": key}` names.

    Raises:
        InvalidInput: the object lies somewhere else than under inputs/ of the exchange bucket, or is not JSON.
        InputNotFound: there is no such object.
    """
    if not (isinstance(given, dict) and set(given) == {"input"} and isinstance(given["input"], str)):
        return given
    key = given["input"].removeprefix(f"s3://{bucket}/")
    if not key.startswith(layout.INPUTS):
        raise InvalidInput(f"input: {given['input']} does not lie under s3://{bucket}/{layout.INPUTS}; put it there")
    stored = s3_object.read(s3, bucket, key)
    if stored is None:
        raise InputNotFound(f"input: s3://{bucket}/{key} does not exist; put a migration's input there")
    try:
        return json.loads(stored.body.decode("utf-8-sig"))
    except ValueError as error:
        raise InvalidInput(f"input: s3://{bucket}/{key} is not JSON in UTF-8: {error}") from error


def of(document: Any, execution: str) -> dict[str, Any]:
    """The migration's input that an execution (its ARN) rehearses; always the same for the same execution.

    `document` is a migration's input of any mode, with or without the target's name. Raises InvalidInput.
    """
    rehearsal = _made(document, execution)
    found = _faults_of(rehearsal)
    if found:
        raise InvalidInput("; ".join(str(fault) for fault in found))
    valid: dict[str, Any] = rehearsal
    return valid


def faults(document: Any) -> list[Fault]:
    """Everything that is wrong with an input that is to be rehearsed. Empty: it is valid."""
    return _faults_of(_made(document, "any"))


def _made(document: Any, execution: str) -> Any:
    rehearsal = copy.deepcopy(document)
    if isinstance(rehearsal, dict):
        rehearsal["mode"] = "rehearse"
        name = _source_of(rehearsal)
        if name is not None:
            rehearsal["migrationId"] = migration_id(name, execution)
            if isinstance(rehearsal.get("target"), dict):
                rehearsal["target"].setdefault("environment", target_name(name, execution))
    return rehearsal


def target_name(source: str, execution: str) -> str:
    """The name of a throw-away target, another one for each execution."""
    suffix = f"-rehearsal-{_fingerprint(execution)}"
    return f"{source[: _LONGEST - len(suffix)]}{suffix}"


def is_target_name(name: str) -> bool:
    """Whether `target_name` has made it, and not somebody's input."""
    return _NAME.search(name) is not None


def migration_id(source: str, execution: str) -> str:
    """The id under which an execution rehearses."""
    readable = re.sub(r"[^a-z0-9]+", "-", source.lower())[:24].strip("-")
    return f"{readable}-{_fingerprint(execution)}"


def _fingerprint(execution: str) -> str:
    return hashlib.sha256(execution.encode()).hexdigest()[:10]


def _source_of(document: dict[str, Any]) -> str | None:
    """The source's name, if it may be one."""
    source = document.get("source")
    name = source.get("environment") if isinstance(source, dict) else None
    return name if isinstance(name, str) and re.match(r"[a-zA-Z]", name) else None


def _faults_of(rehearsal: Any) -> list[Fault]:
    return [*migration_input.faults(rehearsal), *_lock_faults(rehearsal)]


def _lock_faults(document: Any) -> Iterator[Fault]:
    options = document.get("options") if isinstance(document, dict) else None
    if isinstance(options, dict) and options.get("breakLock"):
        yield Fault("InvalidValue", "options.breakLock", "is true, and a rehearsal lets others end first; leave it out")
