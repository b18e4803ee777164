"""Whether the execution roles let Amazon MWAA run the environments.

A target keeps its source's role unless the input names another one, and the role of one environment often names that
environment: its log groups, its metrics, its DAG folder. Amazon MWAA would notice after half an hour of creating.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from migration import errors
from migration.aws.client_errors import code_of
from migration.environments.s3_objects import folder
from migration.json_schema import Problem
from migration.model import Migration, Side
from migration.plan import rehearsal_input

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

# As whom Amazon MWAA runs an environment (its user guide, execution role).
_ASSUMES_ROLES = "airflow-env.amazonaws.com"


def problems(plan: Migration, iam: IAMClient) -> Iterator[Problem]:
    """What the roles' trust policies and rights say against the migration."""
    source, target = plan["source"], plan["target"]
    # In this order, because a target without an override has the source's role.
    roles = {
        target["executionRoleArn"]: "target.environment" if plan["adopted"] else "target.overrides.ExecutionRoleArn",
        source["executionRoleArn"]: "source.environment",
    }
    found = [problem for role, where in roles.items() for problem in _trust_problems(role, where, iam)]
    yield from found
    if len(roles) == 1 and not found:
        yield from _rights_problems(source, target, iam)


def _trust_problems(role: str, where: str, iam: IAMClient) -> Iterator[Problem]:
    try:
        trust = iam.get_role(RoleName=role.rsplit("/", 1)[-1])["Role"]["AssumeRolePolicyDocument"]
    except ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        message = f"the execution role {role} does not exist; create it or name another"
        yield Problem(errors.RoleNotFound.__name__, where, message)
    else:
        if _ASSUMES_ROLES not in _trusted_services(trust):
            message = f"the execution role {role} does not let {_ASSUMES_ROLES} assume it; add that to its trust policy"
            yield Problem(errors.RoleUnfit.__name__, where, message)


def _trusted_services(trust: Any) -> set[str]:
    """The services that a trust policy lets assume its role."""
    document = json.loads(trust) if isinstance(trust, str) else trust
    statements = document.get("Statement", [])
    found: set[str] = set()
    for statement in [statements] if isinstance(statements, dict) else statements:
        principal = statement.get("Principal", {})
        if statement["Effect"] == "Allow" and isinstance(principal, dict):
            services = principal.get("Service", [])
            found |= {services} if isinstance(services, str) else set(services)
    return found


def _rights_problems(source: Side, target: Side, iam: IAMClient) -> Iterator[Problem]:
    """What a role allows the source and does not allow the target.

    Only the difference counts: what IAM's simulation cannot know (conditions, policies of resources) is the same for
    both, and so never refuses a role that works.
    """
    role = source["executionRoleArn"]
    theirs, ours = _needed(source), _needed(target)
    for (actions, of_source), (_, of_target) in zip(theirs, ours, strict=True):
        missing = _allowed(role, actions, of_source, iam) - _allowed(role, actions, of_target, iam)
        if missing:
            named = ", ".join(sorted(missing))
            message = (
                f"the execution role {role} allows {named} on {of_source} and not on {of_target}; let its policies "
                f"allow the target what they allow the source{_for_rehearsals(target['environment'])}"
            )
            yield Problem(errors.RoleLacksRights.__name__, "target.environment", message)


def _for_rehearsals(target: str) -> str:
    """A throw-away target has another name each time."""
    return f" (with {target[:-10]}* for all rehearsals)" if rehearsal_input.is_target_name(target) else ""


def _needed(side: Side) -> list[tuple[list[str], str]]:
    """Actions with the resource that has the environment's name in it.

    From the execution role of the Amazon MWAA user guide. Each resource is simulated alone, so that its answer is its
    own.
    """
    _, partition, _, _, account, _ = side["executionRoleArn"].split(":", 5)
    name, where = side["environment"], f"{side['region']}:{account}"
    return [
        (["airflow:PublishMetrics"], f"arn:{partition}:airflow:{where}:environment/{name}"),
        (
            ["logs:CreateLogStream", "logs:PutLogEvents", "logs:GetLogEvents"],
            f"arn:{partition}:logs:{where}:log-group:airflow-{name}-Task:log-stream:any",
        ),
        (["s3:GetObject"], f"arn:{partition}:s3:::{side['bucket']}/{folder(side['dagsPath'])}any.py"),
    ]


def _allowed(role: str, actions: list[str], resource: str, iam: IAMClient) -> set[str]:
    answer = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=actions, ResourceArns=[resource])
    results = answer["EvaluationResults"]
    return {result["EvalActionName"] for result in results if result["EvalDecision"] == "allowed"}
