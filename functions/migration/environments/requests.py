"""Requests for CreateEnvironment and UpdateEnvironment: the source's settings, as the target is to have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.validate import ParamValidator

from migration.airflow import renamed_options, versions

if TYPE_CHECKING:
    from botocore.model import StructureShape
    from mypy_boto3_mwaa import MWAAClient


# What the migration itself decides; an override would contradict the input.
NOT_OVERRIDABLE = ("Name", "AirflowVersion")
# Fields that hold only within a region.
REGIONAL_FIELDS = ("NetworkConfiguration", "SourceBucketArn", "KmsKey")
_MERGED = ("AirflowConfigurationOptions", "Tags")
# During the migration no DAG may start just because the scheduler sees it for the first time.
_PAUSED_AT_CREATION = "core.dags_are_paused_at_creation"


class Settings(NamedTuple):
    """A request for CreateEnvironment or UpdateEnvironment, and what differs from the source in sentences."""

    request: dict[str, Any]
    notes: list[str]


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
    """What the API model says against a request: unknown fields and wrong types."""
    report: Any = ParamValidator().validate(request, shape)
    return report.generate_report().splitlines() if report.has_errors() else []


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
    request = {key: value for key, value in source.items() if key in shape.members and value is not None}
    for prefix in ("Requirements", "Plugins", "StartupScript"):
        request.pop(f"{prefix}S3Path", None)
        request.pop(f"{prefix}S3ObjectVersion", None)
    logging = request.get("LoggingConfiguration")
    if logging is not None:
        request["LoggingConfiguration"] = _known(logging, shape.members["LoggingConfiguration"])
    notes: list[str] = []
    if versions.parse(source["AirflowVersion"]).major == 1 and versions.parse(airflow_version).major > 1:
        # Airflow 1.10 has exactly one scheduler and Amazon MWAA's newer versions want at least two.
        request.pop("Schedulers", None)
        notes.append("Schedulers is the service's default: Airflow 1.10 has one, newer versions need two.")
    options = _options(source, airflow_version)
    notes += options.notes
    if request.get("EndpointManagement") == "CUSTOMER":
        notes.append(
            "EndpointManagement is CUSTOMER, as in the source: Amazon MWAA waits in PENDING until the VPC endpoints of "
            "the target's database and web server are made (GetEnvironment names their services)."
        )
    request["AirflowConfigurationOptions"] = options.options
    if options.options.get(_PAUSED_AT_CREATION, "True").lower() in ("false", "f", "0"):
        options.options[_PAUSED_AT_CREATION] = "True"
        notes.append(f"{_PAUSED_AT_CREATION} is True during the migration; set it back after cut-over or with a hop.")
    request["Tags"] = {key: value for key, value in request.get("Tags", {}).items() if not key.startswith("aws:")}
    request = overridden(request, overrides)
    request |= files.fields() | {"Name": name, "AirflowVersion": airflow_version}
    request["Tags"] = request["Tags"] | tags
    return Settings({key: value for key, value in request.items() if value not in ({}, "")}, notes)


def hop_request(
    source: dict[str, Any], current: dict[str, Any], *, airflow_version: str, overrides: dict[str, Any], files: Files
) -> Settings:
    """UpdateEnvironment's request that takes the target from `current` (GetEnvironment's answer) to a newer Airflow.

    The options are the source's, translated to the new version, so that what the import version needed does not stay.
    """
    options = _options(source, airflow_version)
    merged = overridden({"AirflowConfigurationOptions": options.options}, overrides)["AirflowConfigurationOptions"]
    fields = files.fields()
    del fields["DagS3Path"]
    request = {"Name": current["Name"], "AirflowVersion": airflow_version, "AirflowConfigurationOptions": merged}
    return Settings(request | fields, options.notes)


def overridden(request: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """`request` with a user's overrides: maps merged key by key (None removes a key), all else replaced."""
    result = dict(request)
    for field, value in overrides.items():
        if field in _MERGED and isinstance(value, dict):
            merged = {**result.get(field, {}), **value}
            result[field] = {key: item for key, item in merged.items() if item is not None}
        else:
            result[field] = value
    return result


def _options(source: dict[str, Any], airflow_version: str) -> renamed_options.Translation:
    """The source's options as that version has them, with those that its history needs there.

    What the history needs wins over what the source has set, because without it rows or logs would not be seen; the
    user's overrides win over both.
    """
    translated = renamed_options.translate(source.get("AirflowConfigurationOptions", {}), airflow_version)
    needed = renamed_options.needed(source["AirflowVersion"], airflow_version)
    return renamed_options.Translation(translated.options | needed.options, translated.notes + needed.notes)


def _known(value: dict[str, Any], shape: Any) -> dict[str, Any]:
    """A structure without the fields that its shape in the input model does not have (CloudWatchLogGroupArn)."""
    known: dict[str, Any] = {}
    for key, item in value.items():
        if key in shape.members:
            known[key] = _known(item, shape.members[key]) if isinstance(item, dict) else item
    return known
