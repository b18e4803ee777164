"""Whether the caller of a request may make it: by the policies of its role, its boundary and the resource's policy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from local.aws.arns import s3_arn
from local.aws.iam import required_permissions, s3_permissions
from local.aws.iam.call_record import Call, CallRecord
from local.aws.iam.identity import Identities, UnknownAccessKey
from local.aws.iam.policy_evaluation import Principal, Requirement, decide
from local.aws.request import AwsRequest
from local.aws.responses import AwsError

logger = logging.getLogger(__name__)


class Authorisation:
    """Checks requests, and records each decision about a caller that is no administrator."""

    def __init__(self, identities: Identities, record: CallRecord) -> None:
        self._identities = identities
        self._record = record

    def check(self, request: AwsRequest, tags: Callable[[], Mapping[str, str]]) -> Principal:
        """Returns the caller of a request that it may make. `tags` reads those of its resource, as condition keys.

        Raises:
            AwsError: as AWS refuses it.
        """
        if request.access_key_id is None:
            # Only something public could be answered, and nothing here is public.
            raise AwsError(
                "AccessDenied" if request.service == "s3" else "MissingAuthenticationTokenException",
                f"{request.service}:{request.operation.name} was called without credentials",
                403,
            )
        try:
            principal = self._identities.principal(request.access_key_id)
        except UnknownAccessKey as error:
            name = "InvalidAccessKeyId" if request.service == "s3" else "UnrecognizedClientException"
            raise AwsError(name, str(error), 403) from error
        if not principal.is_administrator:
            policies = self._identities.policies(principal)
            of_resource = tags()
            for needed in required_permissions.requirements(request, self._identities.account):
                # A role that is passed is another resource.
                context = {} if needed.action == "iam:PassRole" else of_resource
                requirement = replace(needed, context={**needed.context, **context})
                decision = decide(principal, policies, requirement)
                self._record.add(Call(principal.role_arn, requirement.action, requirement.resources[0], decision))
                if decision != "allowed":
                    logger.warning("denied: %s may not %s", principal.session_arn, requirement.action)
                    raise _access_denied(request, principal, requirement, decision)
        return principal

    def may_list(self, request: AwsRequest, principal: Principal) -> bool:
        """Whether a caller may list the bucket that its request names."""
        bucket = request.parameters["Bucket"]
        listing = Requirement(
            "s3:ListBucket",
            (s3_arn(request.region, bucket),),
            {"aws:requestedregion": request.region},
            s3_permissions.bucket_policy(request.region, self._identities.account, bucket),
        )
        decision = decide(principal, self._identities.policies(principal), listing)
        if not principal.is_administrator:
            self._record.add(Call(principal.role_arn, listing.action, listing.resources[0], decision))
        return decision == "allowed"


def _access_denied(request: AwsRequest, principal: Principal, requirement: Requirement, decision: str) -> AwsError:
    because = (
        "with an explicit deny in a policy"
        if decision == "explicitly denied"
        else f"because no policy allows the {requirement.action} action"
    )
    name = "AccessDenied" if request.protocol in ("rest-xml", "query", "ec2") else "AccessDeniedException"
    return AwsError(
        name,
        f"User: {principal.session_arn} is not authorized to perform: {requirement.action} on resource: "
        f"{requirement.resources[0]} {because}",
        403,
    )
