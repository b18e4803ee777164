"""An environment as the resource AWS::MWAA::Environment, which CloudFormation, the CDK and Terraform all have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: The resource's properties that can be set and that GetEnvironment shows (CloudFormation's schema of the resource).
PROPERTIES = (
    "Name",
    "AirflowVersion",
    "EnvironmentClass",
    "ExecutionRoleArn",
    "KmsKey",
    "SourceBucketArn",
    "DagS3Path",
    "PluginsS3Path",
    "PluginsS3ObjectVersion",
    "RequirementsS3Path",
    "RequirementsS3ObjectVersion",
    "StartupScriptS3Path",
    "StartupScriptS3ObjectVersion",
    "AirflowConfigurationOptions",
    "NetworkConfiguration",
    "EndpointManagement",
    "WebserverAccessMode",
    "LoggingConfiguration",
    "Schedulers",
    "MinWorkers",
    "MaxWorkers",
    "MinWebservers",
    "MaxWebservers",
    "WeeklyMaintenanceWindowStart",
    "Tags",
)
#: What GetEnvironment tells beside these, and nobody sets.
_TOLD = {
    "Status",
    "Arn",
    "CreatedAt",
    "WebserverUrl",
    "ServiceRoleArn",
    "LastUpdate",
    "WebserverVpcEndpointService",
    "DatabaseVpcEndpointService",
    "CeleryExecutorQueue",
}
_OPTIONS = "AirflowConfigurationOptions"
_LOGGING = "LoggingConfiguration"
# Airflow's own configuration calls these sensitive, or is documented to take credentials in them. A section of the
# user's own may have them under other names, as the credentials of a private index that requirements.txt reads.
_SECRET_NAME = re.compile(
    r"passw|passphrase|secret|token|credential|basic_auth|fernet|private_key|api_?key|access_key|dsn|_conn$|_kwargs$"
    r"|_uri$|broker_url|result_backend|sql_alchemy|[._](pass|pwd|auth|key)$"
)
_SECRET_VALUE = re.compile(r"://[^/@\s]*:[^/@\s]+@")


@dataclass(frozen=True)
class Secret:
    """Stands for the value of an Airflow option that may be a secret, which the code does not show.

    Attributes:
        option: as `smtp.smtp_password`.
    """

    option: str

    @property
    def words(self) -> list[str]:
        return re.findall("[a-z0-9]+", self.option.lower())

    @property
    def parameter(self) -> str:
        """The name of a parameter of CloudFormation's that has the value: `SmtpSmtpPassword`."""
        return "".join(word.capitalize() for word in self.words)


@dataclass(frozen=True)
class EnvironmentResource:
    """Properties in CloudFormation's names, with a `Secret` in place of what may be one.

    Attributes:
        left_out: the fields of the environment that the resource does not have.
    """

    name: str
    properties: Mapping[str, Any]
    left_out: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """The environment's name in words of lower case, of which identifiers are made; none begins with a digit."""
        words = re.findall("[a-z0-9]+", self.name.lower())
        return words if words and words[0][0].isalpha() else ["environment", *words]

    @property
    def secrets(self) -> list[Secret]:
        return [value for value in self.properties.get(_OPTIONS, {}).values() if isinstance(value, Secret)]


def resource_of(environment: Mapping[str, Any], unread: list[str]) -> EnvironmentResource:
    """The resource for GetEnvironment's answer; `unread` are the fields of it that the SDK could not read."""
    properties = {name: environment[name] for name in PROPERTIES if name in environment}
    if _OPTIONS in properties:
        options: Mapping[str, str] = properties[_OPTIONS]
        properties[_OPTIONS] = {name: shown_option(name, options[name]) for name in sorted(options)}
    if _LOGGING in properties:
        properties[_LOGGING] = dict(_logging(properties[_LOGGING]))
    if "Tags" in properties:
        # AWS's own can be read and not set.
        properties["Tags"] = {key: value for key, value in properties["Tags"].items() if not key.startswith("aws:")}
    unknown = [name for name, value in environment.items() if value and name not in (*PROPERTIES, *_TOLD)]
    given = {name: value for name, value in properties.items() if value not in (None, "", {})}
    return EnvironmentResource(str(environment["Name"]), given, (*sorted(unknown), *unread))


def shown_option(option: str, value: str) -> str | Secret:
    """An Airflow option's value, unless it may be a secret."""
    return Secret(option) if _SECRET_NAME.search(option.lower()) or _SECRET_VALUE.search(value) else value


def _logging(configuration: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each kind of log without the ARN of its group, which Amazon MWAA gives."""
    for kind, settings in configuration.items():
        yield kind, {name: settings[name] for name in ("Enabled", "LogLevel") if name in settings}
