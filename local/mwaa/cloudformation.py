"""The resource AWS::MWAA::Environment, which moto's CloudFormation does not have.

As in an account, a stack's creation waits until its environment is AVAILABLE, and so does an update.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel

from local.mwaa.control_plane import MwaaControlPlane

_POLL_SECONDS = 0.1
_WORKED_ON = ("CREATING", "UPDATING", "CREATING_SNAPSHOT", "ROLLING_BACK")
# Properties that are set in an environment's creation only (the resource's schema).
_AT_CREATION = ("Name", "KmsKey", "EndpointManagement", "Tags")


class EnvironmentNotAvailable(Exception):
    """The environment of a stack could not be created or updated."""


class EnvironmentResource(CloudFormationModel):
    """An environment in a stack. Its physical id is its name."""

    _control_plane: ClassVar[MwaaControlPlane]
    _client: ClassVar[Callable[[], Any]]

    @classmethod
    def install(cls, control_plane: MwaaControlPlane, client: Callable[[], Any]) -> None:
        """Has stacks make environments of a control plane; `client` gives a client of CloudFormation's rights."""
        cls._control_plane, cls._client = control_plane, client
        # moto may have looked for its resources before this one was there.
        parsing.get_model_map.cache_clear()

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def physical_resource_id(self) -> str:
        return self.name

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::MWAA::Environment"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in ("Arn", "WebserverUrl")

    def get_cfn_attribute(self, attribute: str) -> Any:
        return self._control_plane.environment(self.name).description()[attribute]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> EnvironmentResource:
        cls._client().create_environment(**_parameters(cloudformation_json["Properties"]))
        cls._await(resource_name)
        return cls(resource_name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> EnvironmentResource:
        wanted = _parameters(cloudformation_json["Properties"])
        changes = {name: value for name, value in wanted.items() if name not in _AT_CREATION}
        if "NetworkConfiguration" in changes:
            # The subnets are set in the creation only.
            changes["NetworkConfiguration"] = {
                "SecurityGroupIds": changes["NetworkConfiguration"].get("SecurityGroupIds", [])
            }
        cls._client().update_environment(Name=original_resource.name, **changes)
        cls._await(original_resource.name)
        return cls(original_resource.name)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        environment = cls._control_plane.environment(resource_name)
        cls._client().delete_environment(Name=resource_name)
        environment.gone.wait()

    @classmethod
    def _await(cls, name: str) -> None:
        environment = cls._control_plane.environment(name)
        while environment.status in _WORKED_ON:
            time.sleep(_POLL_SECONDS)
        if environment.status != "AVAILABLE":
            raise EnvironmentNotAvailable(f"{name} is {environment.status}: {environment.last_update.get('Error')}")


def _parameters(properties: Any) -> Any:
    """Properties as the API has them: moto parses templates into maps and lists of its own."""
    if isinstance(properties, dict):
        return {name: _parameters(value) for name, value in properties.items()}
    return [_parameters(value) for value in properties] if isinstance(properties, list) else properties
