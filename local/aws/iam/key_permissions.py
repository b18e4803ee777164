"""What the use of a KMS key needs."""

from __future__ import annotations

import json
from collections.abc import Mapping

from moto.kms.models import kms_backends

from local.aws.iam import propagation
from local.aws.iam.policy_evaluation import Requirement
from local.aws.request import AwsRequest


def requirement(action: str, key_id: str, request: AwsRequest, account: str, context: Mapping[str, str]) -> Requirement:
    """An action on a key, which `key_id` names by id, ARN or alias; its policy and its grants are those of now."""
    backend = kms_backends[account][request.region]
    known = backend.any_id_to_key_id(key_id)
    key = backend.keys.get(known)
    if key is None:
        return Requirement(action, (key_id if key_id.startswith("arn:") else "*",), context)
    operation = action.partition(":")[2]
    grants = [grant for grant in key.grants.values() if operation in grant.operations and propagation.counts(grant)]
    granted_to = frozenset(grant.grantee_principal for grant in grants)
    policy = propagation.key_policy_that_counts(key)
    if not isinstance(policy, Mapping):
        policy = json.loads(policy)
    return Requirement(action, (key.arn,), context, policy, resource_policy_decides=True, granted_to=granted_to)
