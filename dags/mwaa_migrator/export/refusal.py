"""Rows that will not be taken where they go, whatever database they come from, and what is said of them."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Sequence

from mwaa_migrator.airflow_schema.migration_rules import MigrationRule
from mwaa_migrator.wording import counted, listed


class RefusedRows(NamedTuple):
    """Rows of one table that break one rule; ``examples`` name a few of them."""

    rule: MigrationRule
    rows: int
    examples: Sequence[str]

    @property
    def line(self) -> str:
        """What, which table, which rows, and why."""
        rule = self.rule
        where = f", on which Airflow's migration {rule.revision} of {rule.release} fails" if rule.revision else ""
        return f"{counted(self.rows, 'row')} of {rule.table} ({listed(self.examples, self.rows)}){where}: {rule.reason}"

    def as_json(self) -> Dict[str, Any]:
        rule = self.rule
        return {
            "table": rule.table,
            "kind": rule.kind,
            "rows": self.rows,
            "examples": list(self.examples),
            "revision": rule.revision,
            "release": rule.release or None,
            "reason": rule.reason,
            "remedy": rule.remedy,
        }
