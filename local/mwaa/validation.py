"""Checks a request against its operation's model: required members, types, lengths, patterns, enumerations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

from local.aws.responses import AwsError


def validate(operation: OperationModel, parameters: Mapping[str, Any]) -> None:
    """
    Raises:
        AwsError: ValidationException which names everything that is wrong, as AWS words it.
    """
    problems = _types(operation, parameters)
    if not problems and operation.input_shape is not None:
        problems = list(_constraints(operation.input_shape, parameters, ""))
    if problems:
        plural = "errors" if len(problems) > 1 else "error"
        raise AwsError("ValidationException", f"{len(problems)} validation {plural} detected: {'; '.join(problems)}")


def _types(operation: OperationModel, parameters: Mapping[str, Any]) -> list[str]:
    """botocore's own checks: missing members, wrong types, numbers out of range."""
    if operation.input_shape is None:
        return []
    report = ParamValidator().validate(dict(parameters), operation.input_shape)
    return report.generate_report().split("\n") if report.has_errors() else []


def _constraints(shape: Shape, value: Any, where: str) -> list[str]:
    """The checks that botocore leaves to the service."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return [
            problem
            for name, member in shape.members.items()
            if value.get(name) is not None
            for problem in _constraints(member, value[name], f"{where}.{name}" if where else name)
        ]
    if isinstance(shape, ListShape) and isinstance(value, list):
        problems = _length(shape, len(value), value, where)
        for index, item in enumerate(value):
            problems += _constraints(shape.member, item, f"{where}.{index + 1}.member")
        return problems
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        problems = _length(shape, len(value), value, where)
        for key, item in value.items():
            problems += _constraints(shape.key, key, f"{where}.{key}")
            problems += _constraints(shape.value, item, f"{where}.{key}")
        return problems
    if isinstance(shape, StringShape) and isinstance(value, str):
        return _string(shape, value, where)
    return []


def _string(shape: StringShape, value: str, where: str) -> list[str]:
    problems = _length(shape, len(value), value, where)
    if shape.enum and value not in shape.enum:
        problems.append(_problem(value, where, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"))
    pattern = shape.metadata.get("pattern")
    if pattern is not None and not _fits(pattern, value):
        problems.append(_problem(value, where, f"Member must satisfy regular expression pattern: {pattern}"))
    return problems


def _fits(pattern: str, value: str) -> bool:
    # Python's re does not have Java's classes for letters, separators and numbers.
    translated = pattern.replace(r"\p{L}", r"^\W\d_").replace(r"\p{Z}", r"\s").replace(r"\p{N}", r"\d")
    if translated != pattern:
        return True
    return re.fullmatch(pattern, value) is not None


def _length(shape: Shape, length: int, value: Any, where: str) -> list[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and length < low:
        return [_problem(value, where, f"Member must have length greater than or equal to {low}")]
    if high is not None and length > high:
        return [_problem(value, where, f"Member must have length less than or equal to {high}")]
    return []


def _problem(value: Any, where: str, rule: str) -> str:
    return f"Value '{value}' at '{where[:1].lower() + where[1:]}' failed to satisfy constraint: {rule}"
