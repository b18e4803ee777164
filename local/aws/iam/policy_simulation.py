"""IAM's SimulatePrincipalPolicy, which moto does not have: what a role's own policies and its boundary allow.

Resource policies do not count, and of condition keys those that the simulation names.
"""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse

from local.aws.iam.identity import Identities
from local.aws.iam.policy_evaluation import Decision, Principal, Requirement, decide

_EVAL_DECISIONS: dict[Decision, str] = {
    "allowed": "allowed",
    "explicitly denied": "explicitDeny",
    "not allowed": "implicitDeny",
}


def install() -> None:
    """Changes moto for the whole process."""
    IamResponse.simulate_principal_policy = _answer  # type: ignore[attr-defined]


def _answer(self: IamResponse) -> ActionResult:
    identities = Identities(self.current_account, self.region)
    role = self._get_param("PolicySourceArn")
    caller = Principal(role, role, self.current_account)
    policies = identities.policies(caller)
    context = {
        entry["ContextKeyName"].lower(): entry["ContextKeyValues"][0] for entry in self._get_param("ContextEntries", [])
    }
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": _EVAL_DECISIONS[decide(caller, policies, Requirement(action, (resource,), context))],
        }
        for resource in self._get_param("ResourceArns", ["*"])
        for action in self._get_param("ActionNames")
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})
