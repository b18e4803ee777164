"""An adopted target: an environment that the owner's own code made, of which a migration changes no setting.

What it lacks is told to the owner, field by field. Its settings are recorded when the migration is planned, so that a
change by its owner in the meantime is noticed before anything is paused, imported or cut over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from migration.aws import clients
from migration.environments import environment, requests
from migration.environments.environment import BUSY
from migration.environments.overriding import FILES, REGIONAL_FIELDS
from migration.environments.requests import Files
from migration.errors import TargetChanged
from migration.exchange import layout
from migration.exchange.store import of_attempt
from migration.model import Migration

#: Fields in which any two environments differ: what names them, and where their own files lie.
_OWN = ("Name", "Tags", "DagS3Path", *(f"{prefix}S3{what}" for prefix in FILES for what in ("Path", "ObjectVersion")))
_OPTIONS = "AirflowConfigurationOptions"


class Difference(NamedTuple):
    """A setting that an adopted target has otherwise than expected.

    Attributes:
        path: of the setting in CreateEnvironment: `("LoggingConfiguration", "TaskLogs", "LogLevel")`.
        expected: None where the target should not have it.
        found: None where the target does not have it.
    """

    path: tuple[str, ...]
    expected: Any
    found: Any

    @property
    def name(self) -> str:
        """The setting as people call it: `MaxWorkers`, `core.parallelism`, `LoggingConfiguration.TaskLogs.LogLevel`."""
        return self.path[1] if self.path[0] == _OPTIONS else ".".join(self.path)

    def told(self, target: str) -> str:
        """A sentence about it, without values of Airflow options, which can be secrets."""
        if self.path[0] == _OPTIONS:
            if self.found is None:
                return f"The option {self.name} of {target} is missing."
            other = "has a value that is not the expected one" if self.expected is not None else "is not expected"
            return f"The option {self.name} of {target} {other}."
        if self.expected is None:
            return f"{self.name} of {target} is {_shown(self.found)}; it is not expected."
        return f"{self.name} of {target} is {_shown(self.found)}; {_shown(self.expected)} is expected."


def differences(migration: Migration, source: dict[str, Any], target: dict[str, Any]) -> list[Difference]:
    """What an environment that was made for the migration would have otherwise than the adopted `target` has it.

    Both environments are GetEnvironment's answers. Names, tags and the places of files are the owner's. Where the
    target lies in another region, so is what holds in a region only.
    """
    overrides, region = migration["overrides"], migration["target"]["region"]
    shape = requests.input_shape(clients.mwaa(region), "CreateEnvironment")
    made = requests.create_request(
        source,
        shape=shape,
        name=target["Name"],
        airflow_version=target["AirflowVersion"],
        overrides=overrides,
        files=Files(target["DagS3Path"]),
        tags={},
    ).request
    is_elsewhere = region != migration["source"]["region"]
    own = {*_OWN, *(field for field in REGIONAL_FIELDS if is_elsewhere and field not in overrides)}
    expected = {field: value for field, value in made.items() if field not in own}
    found = {field: value for field, value in requests.settings_of(target, shape).items() if field not in own}
    return [*_leaves((), expected, found), *_missing_files(source, target, overrides)]


def _leaves(path: tuple[str, ...], expected: dict[str, Any], found: dict[str, Any]) -> Iterator[Difference]:
    for field in sorted({*expected, *found}):
        one, other = expected.get(field), found.get(field)
        if isinstance(one, dict) or isinstance(other, dict):
            yield from _leaves((*path, field), one or {}, other or {})
        elif one != other:
            yield Difference((*path, field), one, other)


def _missing_files(source: dict[str, Any], target: dict[str, Any], overrides: dict[str, Any]) -> Iterator[Difference]:
    """Files that the source has, or the input names, and the target has not; which ones they are is the owner's."""
    for prefix in FILES:
        field = f"{prefix}S3Path"
        expected, found = overrides.get(field) or source.get(field), target.get(field)
        if expected and (not found or (field in overrides and found != expected)):
            yield Difference((field,), expected, found)


def record(migration: Migration, target: dict[str, Any]) -> None:
    """Keeps what the target (GetEnvironment's answer) is like when the migration is planned."""
    of_attempt(clients.s3(), migration).write(layout.ADOPTED, _digests(migration, target))


def require_unchanged(migration: Migration) -> None:
    """Raises TargetChanged if the settings of an adopted target are not those that the migration was planned with.

    Does nothing for a target that the migration has made. Maintenance by Amazon MWAA is no change.
    """
    if not migration["adopted"]:
        return
    side = migration["target"]
    found = environment.get(clients.mwaa(side["region"]), side["environment"])
    again = "start again with the same input when its owner is done with it"
    if found is None:
        raise TargetChanged(f"The adopted target {side['environment']} does not exist any more.")
    if found["Status"] != "AVAILABLE" and found["Status"] not in BUSY:
        raise TargetChanged(f"The adopted target {side['environment']} is {found['Status']}{_by(found)}; {again}.")
    before, now = of_attempt(clients.s3(), migration).read(layout.ADOPTED) or {}, _digests(migration, found)
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if changed:
        raise TargetChanged(
            f"Since the migration was planned, {', '.join(changed)} of the adopted target {side['environment']} was "
            f"changed{_by(found)}; {again}."
        )


def _digests(migration: Migration, target: dict[str, Any]) -> dict[str, str]:
    """A digest of each setting and of each Airflow option, whose values can be secrets."""
    shape = requests.input_shape(clients.mwaa(migration["target"]["region"]), "CreateEnvironment")
    settings = {field: target[field] for field in shape.members if target.get(field) is not None}
    options = settings.pop(_OPTIONS, {})
    return {name: _digest(migration, name, value) for name, value in {**settings, **options}.items()}


def _digest(migration: Migration, name: str, value: Any) -> str:
    text = json.dumps([migration["id"], name, value], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _by(found: dict[str, Any]) -> str:
    """By what and when an environment was last updated, as far as it says."""
    update = found.get("LastUpdate", {})
    told = [f"by {update['Source']}"] if update.get("Source") else []
    told += [f"at {update['CreatedAt']:%Y-%m-%dT%H:%M:%SZ}"] if hasattr(update.get("CreatedAt"), "strftime") else []
    return f" ({' '.join(told)})" if told else ""


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value, default=str)
