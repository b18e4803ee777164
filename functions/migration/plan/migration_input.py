"""The input: checked against its published schema, all problems at once, and completed with the schema's defaults."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from migration import wording
from migration.airflow import path, ways_in
from migration.json_schema import Problem, completed, expression_problems, problems_of

SCHEMA_FILE = Path(__file__).with_name("input.schema.json")

# Neither waiting longer nor taking a lock over makes it another migration.
_NOT_IDENTIFYING = (
    "breakLock",
    "pollSeconds",
    "environmentTimeoutSeconds",
    "parseTimeoutSeconds",
    "dagRunTimeoutSeconds",
    "smokeTestMinutes",
    # Only a rehearsal uses it, and each of those is a new one.
    "rehearsalClass",
    # It decides whether to go on, not what is done.
    "checks",
)


@functools.cache
def schema() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return content


def problems(document: Any) -> list[Problem]:
    """Everything that is wrong with an input. Empty: it is valid."""
    found = problems_of(document, schema())
    if isinstance(document, dict) and document.get("mode") == "rollback":
        found += [
            Problem("InvalidValue", name, "is known from the migration; leave it out of a rollback")
            for name in ("source", "target")
            if name in document
        ]
    if not found:
        options = document.get("options", {})
        found += _contradictions(document)
        found += expression_problems("options.dags", options.get("dags"))
        found += expression_problems("options.logs.dags", options.get("logs", {}).get("dags"))
    return found


def _contradictions(document: dict[str, Any]) -> Iterator[Problem]:
    """Fields that are right by themselves and not together. `document` fits the schema."""
    options = document.get("options", {})
    both = sorted({*options.get("tables", [])} & {*options.get("excludeTables", [])})
    if both:
        yield Problem(
            "InvalidValue", "options.excludeTables", f"{', '.join(both)} is in options.tables too; choose one"
        )
    if not options.get("xcoms", True) and "xcom" in options.get("tables", []):
        yield Problem("InvalidValue", "options.xcoms", "is false, and options.tables names xcom; choose one")
    if document.get("mode") == "rehearse" and options.get("quiesce"):
        yield Problem("InvalidValue", "options.quiesce", "is true, and a rehearsal pauses nothing; leave it out")
    if document.get("mode", "migrate") != "rehearse" and options.get("smokeTest"):
        yield Problem(
            "InvalidValue", "options.smokeTest", "runs DAGs in a rehearsal's target; leave it out of any other"
        )
    yield from _contradictions_of_adopting(document)
    version, way = document.get("target", {}).get("airflowVersion", "3.0.0"), options.get("path")
    if int(version.split(".")[0]) < 3:
        for name in ("importVersion", "path"):
            if options.get(name) and options[name] != path.AUTO:
                yield Problem(
                    "InvalidValue", f"options.{name}", f"is for a 3.x target; {version} is imported at itself"
                )
    elif options.get("importVersion") and way == path.DIRECT:
        yield Problem("InvalidValue", "options.importVersion", "is for the path through 2.11, and path is direct")


def _contradictions_of_adopting(document: dict[str, Any]) -> Iterator[Problem]:
    """Fields that do not go together with an adopted target, or only with one."""
    options = document.get("options", {})
    if not adopts(document):
        if not options.get("copyDags", True):
            yield Problem(
                "InvalidValue",
                "options.copyDags",
                "is false, and a target that is made has no DAGs but the source's; it is for an adopted target",
            )
        return
    if document.get("mode") == "rehearse":
        yield Problem(
            "InvalidValue",
            "target.adopt",
            "is true, and a rehearsal deletes its target; give target.airflowVersion in its place, and another name or "
            "none",
        )
    for name, value, reason in (
        ("path", path.THROUGH, "an adopted target is never upgraded"),
        ("importVersion", options.get("importVersion") or None, "an adopted target is imported into at its version"),
        ("wayIn", ways_in.PLUGIN, "an adopted target gets no plugin of ours"),
        ("targetOnFailure", "delete", "an adopted target is never deleted"),
    ):
        if value is not None and options.get(name) == value:
            yield Problem("InvalidValue", f"options.{name}", f"is {value}, and {reason}; leave it out")


def adopts(document: dict[str, Any]) -> bool:
    """Whether an input that fits the schema names an environment that exists as its target."""
    return bool(document.get("target", {}).get("adopt"))


def with_defaults(document: dict[str, Any]) -> dict[str, Any]:
    """A valid input, with every option that it leaves out at the schema's default. The argument is not changed.

    To an adopted target no other path leads than the direct one, and no other way in than the worker's.
    """
    complete = completed(document, schema())
    if adopts(complete):
        complete["options"] |= {"path": path.DIRECT, "wayIn": ways_in.WORKER}
    return complete


def regions(document: dict[str, Any], default: str) -> tuple[str, str]:
    """The source's region and the target's. `default`: the stack's, for a source that names none."""
    source = document["source"].get("region", default)
    return source, document["target"].get("region", source)


def digest(complete: dict[str, Any]) -> str:
    """Hexadecimal SHA-256 of what makes an input (`complete`: with defaults) the same migration."""
    options = {key: value for key, value in complete["options"].items() if key not in _NOT_IDENTIFYING}
    identifying = {**{key: value for key, value in complete.items() if key != "migrationId"}, "options": options}
    return hashlib.sha256(json.dumps(identifying, sort_keys=True).encode()).hexdigest()


def migration_id(complete: dict[str, Any], execution: str) -> str:
    """The id that the input gives, or one made from it.

    Two executions with one input are one migration. A rehearsal is a new one each time, unless it is redriven, because
    its target does not outlive it.
    """
    if "migrationId" in complete:
        given: str = complete["migrationId"]
        return given
    salt = execution if complete["mode"] == "rehearse" else ""
    fingerprint = hashlib.sha256((digest(complete) + salt).encode()).hexdigest()[:10]
    return f"{wording.slug(complete['target']['environment'])}-{fingerprint}"
