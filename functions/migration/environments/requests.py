"""Requests for CreateEnvironment and UpdateEnvironment: the source's settings, as the target is to have them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.validate import ParamValidator

from migration.airflow import renamed_options, versions
from migration.environments.overriding import FILES, overridden

if TYPE_CHECKING:
    from botocore.model import StructureShape
    from mypy_boto3_mwaa import MWAAClient


_OPTIONS = "AirflowConfigurationOptions"
# During the migration no DAG may start just because the scheduler sees it for the first time.
_PAUSED_AT_CREATION = "core.dags_are_paused_at_creation"
# Amazon MWAA's own section has it replace workers whose tasks it takes for dead (the images' execute_command.py reads
# AIRFLOW__MWAA__WORKER_REPLACEMENT_THRESHOLD_SECONDS). An import is one long task.
_MWAA_S_OWN = "mwaa."
# Options by which an environment names itself to people: a copy would name the source.
_OF_THE_SOURCE = ("webserver.base_url", "webserver.instance_name", "api.base_url", "api.instance_name")
# The one class with other numbers: one scheduler, one web server, one worker at least. All others take two schedulers
# and web servers at least (CreateEnvironment, API reference).
_MICRO = "mw1.micro"
_NUMBERS = ("Schedulers", "MinWebservers", "MaxWebservers", "MinWorkers", "MaxWorkers")


# How botocore quotes what has a wrong type.
_VALUE = re.compile(r", value: .*(?=, type: )")
# Values as `True`, `3600` and `DEBUG`.
_SHORT = 5


class Settings(NamedTuple):
    """A request for CreateEnvironment or UpdateEnvironment, and what differs from the source in sentences."""

    request: dict[str, Any]
    notes: list[str]

    @property
    def options(self) -> dict[str, str]:
        """The Airflow options of the request; their values can be secrets."""
        options: dict[str, str] = self.request.get(_OPTIONS, {})
        return options


class Files(NamedTuple):
    """What was staged for an environment: S3 keys in its bucket and the pinned versions, None where there is none."""

    dags: str
    requirements: tuple[str, str] | None = None
    plugins: tuple[str, str] | None = None
    startup_script: tuple[str, str] | None = None

    @classmethod
    def of(cls, staged: dict[str, Any]) -> Files:
        """From the JSON that a Files became on its way through the state machine."""
        pinned = {name: (item[0], item[1]) for name, item in staged.items() if name != "dags" and item is not None}
        return cls(staged["dags"], **pinned)

    def fields(self) -> dict[str, str]:
        """As fields of CreateEnvironment and UpdateEnvironment."""
        named = {"Requirements": self.requirements, "Plugins": self.plugins, "StartupScript": self.startup_script}
        fields = {"DagS3Path": self.dags}
        for name, pinned in named.items():
            if pinned is not None:
                fields[f"{name}S3Path"], fields[f"{name}S3ObjectVersion"] = pinned
        return fields


def input_shape(mwaa: MWAAClient, operation: str) -> StructureShape:
    """The operation's input in the service's own API model, which says what can be set: no list of ours does."""
    shape: Any = mwaa.meta.service_model.operation_model(operation).input_shape
    return shape  # type: ignore[no-any-return]


def model_problems(request: dict[str, Any], shape: StructureShape) -> list[str]:
    """What the API model says against a request: unknown fields and wrong types. No value of an Airflow option."""
    report: Any = ParamValidator().validate(request, shape)
    lines: list[str] = report.generate_report().splitlines() if report.has_errors() else []
    return [_VALUE.sub("", line) if f"parameter {_OPTIONS}" in line else line for line in lines]


def create_request(
    source: dict[str, Any],
    *,
    shape: StructureShape,
    name: str,
    airflow_version: str,
    overrides: dict[str, Any],
    files: Files,
    tags: dict[str, str],
) -> Settings:
    """CreateEnvironment's request for a target like `source` (GetEnvironment's answer).

    Every field that CreateEnvironment knows is copied; then come the overrides, then what the migration decides.
    """
    request = settings_of(source, shape)
    notes: list[str] = []
    if versions.parse(source["AirflowVersion"]).major == 1 and versions.parse(airflow_version).major > 1:
        # Airflow 1.10 has exactly one scheduler and Amazon MWAA's newer versions want at least two.
        request.pop("Schedulers", None)
        notes.append("Schedulers is the service's default: Airflow 1.10 has one, newer versions need two.")
    options = _options_at_creation(source, airflow_version, overrides.get(_OPTIONS, {}))
    request[_OPTIONS] = options.options
    notes += options.notes
    if request.get("EndpointManagement") == "CUSTOMER":
        notes.append(
            "EndpointManagement is CUSTOMER, as in the source: Amazon MWAA waits in PENDING until the VPC endpoints of "
            "the target's database and web server are made (GetEnvironment names their services)."
        )
    notes += _leave_numbers_of_another_class(request, overrides)
    request = overridden(request, overrides)
    request |= files.fields() | {"Name": name, "AirflowVersion": airflow_version}
    request["Tags"] = request["Tags"] | tags
    return Settings({key: value for key, value in request.items() if value not in ({}, "")}, notes)


def settings_of(environment: dict[str, Any], shape: StructureShape) -> dict[str, Any]:
    """An environment's fields that CreateEnvironment knows, without its files, which are staged, and AWS's own tags."""
    request = {key: value for key, value in environment.items() if key in shape.members and value is not None}
    for prefix in FILES:
        request.pop(f"{prefix}S3Path", None)
        request.pop(f"{prefix}S3ObjectVersion", None)
    logging = request.get("LoggingConfiguration")
    if logging is not None:
        request["LoggingConfiguration"] = _known(logging, shape.members["LoggingConfiguration"])
    request["Tags"] = {key: value for key, value in request.get("Tags", {}).items() if not key.startswith("aws:")}
    return request


def _options_at_creation(
    source: dict[str, Any], airflow_version: str, overrides: dict[str, Any]
) -> renamed_options.Translation:
    """The source's options as the target has them during the migration; `overrides` are the user's."""
    translated = _options(source, airflow_version)
    options = dict(translated.options)
    notes = list(translated.notes)
    for option in [option for option in options if option.startswith(_MWAA_S_OWN)]:
        del options[option]
        notes.append(
            f"{option} is left out during the migration, because an import is a long task; set it after the cut-over "
            "(a hop sets it for you)."
        )
    notes += [
        f"{option} still names the source to users; give the target its own by target.overrides.{_OPTIONS}."
        for option in _OF_THE_SOURCE
        if option in options and option not in overrides
    ]
    notes += _keep_new_dags_paused(options)
    return renamed_options.Translation(options, notes)


def hop_request(
    source: dict[str, Any],
    current: dict[str, Any],
    *,
    airflow_version: str,
    overrides: dict[str, Any],
    files: Files,
    given: dict[str, Any] | None = None,
) -> Settings:
    """UpdateEnvironment's request that takes the target from `current` (GetEnvironment's answer) to a newer Airflow.

    `given` is what the creation had to leave out (`at_hop`). The options are the source's, translated to the new
    version, so that what the import version needed does not stay.
    """
    options = _options(source, airflow_version)
    # The cut-over comes after the hop, and a DAG that only the new version can parse is new there.
    notes = _keep_new_dags_paused(options.options)
    merged = overridden({"AirflowConfigurationOptions": options.options}, overrides)["AirflowConfigurationOptions"]
    fields = files.fields() | (given or {})
    del fields["DagS3Path"]
    request = {"Name": current["Name"], "AirflowVersion": airflow_version, "AirflowConfigurationOptions": merged}
    return Settings(request | fields, options.notes + notes)


def _keep_new_dags_paused(options: dict[str, str]) -> list[str]:
    """Has the target not run a DAG because it parses it for the first time. Returns what to say about it."""
    if options.get(_PAUSED_AT_CREATION, "True").lower() not in ("false", "f", "0"):
        return []
    options[_PAUSED_AT_CREATION] = "True"
    return [f"{_PAUSED_AT_CREATION} is True until the cut-over; set it back to the source's False after it."]


def changed_settings(found: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """The fields of UpdateEnvironment that give a target (`found`, GetEnvironment's answer) the settings of `request`.

    Those that decide whether DAGs can be imported: files and Airflow options.
    """
    changes: dict[str, Any] = _taken_away(found, request)
    for prefix in FILES:
        pinned = {f"{prefix}S3Path": request.get(f"{prefix}S3Path")}
        pinned[f"{prefix}S3ObjectVersion"] = request.get(f"{prefix}S3ObjectVersion")
        if any(value is not None and found.get(field) != value for field, value in pinned.items()):
            changes |= {field: value for field, value in pinned.items() if value is not None}
    if request.get(_OPTIONS, {}) != found.get(_OPTIONS, {}):
        changes[_OPTIONS] = request.get(_OPTIONS, {})
    return changes


def _taken_away(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, str]:
    """The fields of UpdateEnvironment that take from an environment the files that it has and is not to have.

    What is not in a request stays as it is. The API model lets a path be empty.
    """
    gone = [prefix for prefix in FILES if found.get(f"{prefix}S3Path") and not wanted.get(f"{prefix}S3Path")]
    return {f"{prefix}{field}": "" for prefix in gone for field in ("S3Path", "S3ObjectVersion")}


def _options(source: dict[str, Any], airflow_version: str) -> renamed_options.Translation:
    """The source's options as that version has them, with those that its history needs there.

    What the history needs wins over what the source has set, because without it rows or logs would not be seen; the
    user's overrides win over both.
    """
    translated = renamed_options.translate(source.get("AirflowConfigurationOptions", {}), airflow_version)
    needed = renamed_options.needed(source["AirflowVersion"], airflow_version)
    options = translated.options | needed.options
    unknown = [
        f"Airflow {airflow_version} ignores {option}, which it does not know."
        for option in renamed_options.unknown(options, airflow_version)
    ]
    return renamed_options.Translation(options, translated.notes + needed.notes + unknown)


def _leave_numbers_of_another_class(request: dict[str, Any], overrides: dict[str, Any]) -> list[str]:
    """Takes the source's numbers of schedulers, web servers and workers out of a request for another kind of class."""
    old = request.get("EnvironmentClass")
    new = overrides.get("EnvironmentClass", old)
    if (old == _MICRO) == (new == _MICRO):
        return []
    left = [field for field in _NUMBERS if request.pop(field, None) is not None and field not in overrides]
    return [f"{', '.join(left)}: the service's defaults for {new}, because {old} has others."] if left else []


def without_values(message: str, options: dict[str, str]) -> str:
    """A message of the service without values of Airflow options, which can be secrets."""
    for value in sorted(options.values(), key=len, reverse=True):
        # A short one is no secret, and would be found in any word.
        if len(value) > _SHORT:
            message = message.replace(value, "***")
    return message


def _known(value: dict[str, Any], shape: Any) -> dict[str, Any]:
    """A structure without the fields that its shape in the input model does not have (CloudWatchLogGroupArn)."""
    known: dict[str, Any] = {}
    for key, item in value.items():
        if key in shape.members:
            known[key] = _known(item, shape.members[key]) if isinstance(item, dict) else item
    return known
