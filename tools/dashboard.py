"""Writes dashboard.json into template.yaml: `make generate`. A test fails when what stands there is stale.

CloudWatch's console shows and takes a dashboard's source in the form of that file. CloudFormation takes it only as text
within the template: what AWS::Include would read from a file beside it is an object, not text.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from tools.renewing import renew

ROOT = Path(__file__).parent.parent
TEMPLATE = ROOT / "template.yaml"
SOURCE = ROOT / "dashboard.json"

_BODY = re.compile(r"^(?P<indent> +)DashboardBody: !Sub \|-\n(?:(?P=indent)  .*\n)+", re.MULTILINE)


def renewed(template: str) -> str:
    """The template with the dashboard as it is now, a line for each widget."""
    widgets = [json.dumps(widget) for widget in json.loads(SOURCE.read_text(encoding="utf-8"))["widgets"]]
    lines = ['{"widgets": [', *(f"{widget}," for widget in widgets[:-1]), widgets[-1], "]}"]

    def body(found: re.Match[str]) -> str:
        indent = found["indent"]
        return "".join([f"{indent}DashboardBody: !Sub |-\n", *(f"{indent}  {line}\n" for line in lines)])

    return _BODY.sub(body, template)


def main() -> None:
    renew(TEMPLATE, renewed(TEMPLATE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
