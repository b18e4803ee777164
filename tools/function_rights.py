"""Makes the list of the functions' rights that doctor asks about: `make generate`. A test fails when it is stale.

The command line is installed without the template.
"""

from __future__ import annotations

import json
from typing import Any

from local.installations.folders import ROOT
from tools.renewing import renew
from tools.template import statements, template

FILE = ROOT / "mwaa_migrator_cli" / "doctor" / "function_rights.json"


def text() -> str:
    """JSON: each function's statements with `actions`, `resources` and `context`, with the template's references."""
    rights = {
        name: [
            _right(statement)
            for statement in statements(resource["Properties"])
            # Roles in other accounts, which an input names and no environment.
            if statement["Resource"] != "${LogRoleArns}"
        ]
        for name, resource in template()["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    return json.dumps(rights, indent=1) + "\n"


def _right(statement: dict[str, Any]) -> dict[str, Any]:
    context = {
        key: _list(values)[0] for tests in statement.get("Condition", {}).values() for key, values in tests.items()
    }
    return {"actions": _list(statement["Action"]), "resources": _list(statement["Resource"]), "context": context}


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def main() -> None:
    renew(FILE, text())


if __name__ == "__main__":
    main()
