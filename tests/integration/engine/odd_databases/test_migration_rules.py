"""Each rule about rows that Airflow's migrations do not take finds those on which the real migration fails."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from mwaa_migrator.airflow_schema.migration_rules import RULES, MigrationRule

from local.installations import airflow_installation
from sources.deployment import Deployment


class Case(NamedTuple):
    """Rows that a migration takes, or ends with an ``error`` on; ``rules`` of that revision find them."""

    revision: str
    rows: str
    rules: int = 0
    error: str | None = None


def connection(*rows: str) -> str:
    return "insert into connection (conn_id, conn_type) values " + ", ".join(rows)


def old_xcom(*rows: str) -> str:
    values = ", ".join(f"('d', 't', '2020-01-01', {row}, 'x', now())" for row in rows)
    return f"insert into xcom (dag_id, task_id, execution_date, key, value, timestamp) values {values}"


def xcom(value: str) -> str:
    return (
        "insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp) "
        f"values (1, 'd', 'r', 't', -1, 'k', {value}, now())"
    )


def json_xcom(text: str) -> str:
    return xcom(f"convert_to('{text}', 'UTF8')")


def dag_run(*dates: str) -> str:
    rows = ", ".join(f"('d', 'r{number}', '{date}', 'manual', 0)" for number, date in enumerate(dates))
    return (
        "alter table dag_run drop constraint dag_run_dag_id_execution_date_key; "
        f"insert into dag_run (dag_id, run_id, execution_date, run_type, clear_number) values {rows}"
    )


def conf(pickled: str) -> str:
    return (
        "insert into dag_run (dag_id, run_id, logical_date, run_type, clear_number, conf) values "
        f"('d', 'r', now(), 'manual', 0, '{pickled}'), ('d', 's', '2020-01-01', 'manual', 0, '\\x80057d9428')"
    )


#: The migrations of 2.11.2, on a database of 1.10.12. Those up to 2.9.2 in between would wait for a session of
#: Flask-AppBuilder's that earlier ones leave open, so the last begins at 2.8.1.
TO_2_0 = [
    Case("bbf4a7ad0465", old_xcom("'k'", "'l'")),
    Case("bbf4a7ad0465", old_xcom("'k'", "'k'"), 1, "UniqueViolation"),
    Case("bbf4a7ad0465", old_xcom("null"), 1, "NotNullViolation"),
    Case("8f966b9c467a", connection("('a', 'http')", "('a', 'http')")),
    Case("8f966b9c467a", connection("('a', null)"), 1, "NotNullViolation"),
    Case("8d48763f6d53", connection("('a', 'http')", "('b', 'http')")),
    Case("8d48763f6d53", connection("('a', 'http')", "('a', 'http')"), 1, "AirflowException"),
    Case("8d48763f6d53", connection("(null, 'http')"), 1, "AirflowException"),
]

TO_2_9 = [
    Case("686269002441", dag_run("2020-01-01", "2020-01-02")),
    Case("686269002441", dag_run("2020-01-01", "2020-01-01"), 1, "UniqueViolation"),
    Case(
        "686269002441",
        "alter table connection drop constraint connection_conn_id_uq; " + connection("('a', 'http')", "('a', 'http')"),
        1,
        "UniqueViolation",
    ),
]

_DATASET = (
    "insert into dataset (uri, extra, created_at, updated_at, is_orphaned) "
    "values (repeat('u', {}), '{{}}', now(), now(), false)"
)
_PICKLE = r"\x80059511000000000000007d948c01619447{}732e"
_ALIAS = "insert into dataset_alias (name) values (repeat('n', {}))"

#: The migrations of 3.2.1, on a database of 2.10.3.
TO_3 = [
    Case("0d9e73a75ee4", _DATASET.format(1500)),
    Case("0d9e73a75ee4", _DATASET.format(1501), 1, "StringDataRightTruncation"),
    Case("fb2d4922cd79", _ALIAS.format(1500)),
    Case("fb2d4922cd79", _ALIAS.format(1501), 1, "StringDataRightTruncation"),
    Case("eed27faa34e3", xcom("null")),
    Case("eed27faa34e3", xcom(r"'\x80057d942e'")),
    Case("eed27faa34e3", xcom("''"), 1, "ArraySubscriptError"),
    Case("eed27faa34e3", json_xcom("plain text"), 1, "InvalidTextRepresentation"),
    Case("eed27faa34e3", json_xcom("truth"), 1, "InvalidTextRepresentation"),
    Case("eed27faa34e3", json_xcom("true")),
    Case("eed27faa34e3", json_xcom('{"a": [1e131071, "1e200000"]}')),
    Case("eed27faa34e3", json_xcom('{"a": 1e200000}'), 1, "NumericValueOutOfRange"),
    Case("eed27faa34e3", json_xcom("1E+131072"), 1, "NumericValueOutOfRange"),
    Case("eed27faa34e3", json_xcom(r'{"name": "Foo\u0000bar"}'), 1, "UntranslatableCharacter"),
    Case("eed27faa34e3", json_xcom(r'{"name": "Foo\\\u0000bar"}'), 1, "UntranslatableCharacter"),
    Case("eed27faa34e3", json_xcom(r'{"name": "Foo\\u0000bar, \\ud800"}')),
    Case("eed27faa34e3", json_xcom(r'"\ud800"'), 1, "InvalidTextRepresentation"),
    Case("eed27faa34e3", json_xcom(r'"\udc00 \ud83d"'), 1, "InvalidTextRepresentation"),
    Case("eed27faa34e3", json_xcom(r'"\ud83d\ude00 \u00e9"')),
    Case("eed27faa34e3", json_xcom('{"a": NaN, "b": [-Infinity, 1]}')),
    Case("eed27faa34e3", json_xcom('{"a": NaN, "b": "a NaN and Infinity"}')),
    Case("eed27faa34e3", json_xcom('"see [NaN, x]"'), 1, "InvalidTextRepresentation"),
    Case("eed27faa34e3", json_xcom(r'"{\"a\": NaN}"'), 1, "InvalidTextRepresentation"),
    Case("e39a26ac59f6", conf(r"\x80057d942e")),
    # {"a": [140, 16384, "xy"]} and {"a": "x\\0y"}
    Case("e39a26ac59f6", conf(r"\x80049516000000000000007d948c0161945d94284b8c4d00408c0278799465732e")),
    Case("e39a26ac59f6", conf(r"\x8004950e000000000000007d948c0161948c0378007994732e"), 1, "InFailedSqlTransaction"),
    # {"a": NaN} and {"a": -Infinity}
    Case("e39a26ac59f6", conf(_PICKLE.format("7ff8000000000000")), 1, "InFailedSqlTransaction"),
    Case("e39a26ac59f6", conf(_PICKLE.format("fff0000000000000")), 1, "InFailedSqlTransaction"),
]  # fmt: skip

#: What the migrations of 3.0.6 do not take, and later ones do.
TO_3_0 = [Case("eed27faa34e3", json_xcom('{"a": NaN, "b": [-Infinity, 1]}'), 1, "InvalidTextRepresentation")]


@pytest.mark.parametrize(
    ("source", "target", "cases"),
    [
        ("1.10.12", "2.11.2", TO_2_0),
        ("2.8.1", "2.11.2", TO_2_9),
        ("2.10.3", "3.2.1", TO_3),
        ("2.10.3", "3.0.6", TO_3_0),
    ],
    ids=["2.0", "2.9", "3.2.1", "3.0.6"],
)
def test_a_rule_finds_what_the_migration_fails_on(
    source: str, target: str, cases: list[Case], odd: Callable[..., Deployment], homes: Path, tmp_path: Path
) -> None:
    deployment = odd(source).having(installation=airflow_installation.install(target), home=homes / target, user=None)
    requests = [case._asdict() | {"queries": [query(rule) for rule in rules_of(case, target)]} for case in cases]
    done = subprocess.run(
        [
            deployment.installation.python,
            "-W",
            "ignore",
            Path(__file__).with_name("in_airflow.py"),
            tmp_path / "outcomes",
        ],
        env=deployment.environment() | {"CASES": json.dumps(requests)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    outcomes = json.loads((tmp_path / "outcomes").read_text())
    pairs = list(zip(cases, outcomes, strict=True))
    told = [(case.rows, sum(map(bool, found)), error) for case, (found, error) in pairs]
    assert told == [(case.rows, case.rules, case.error) for case in cases]
    unproven = {rule for rule in RULES_OF[target] if rule.revision in {case.revision for case in cases}}
    for case, (found, _) in pairs:
        unproven -= {rule for rule, rows in zip(rules_of(case, target), found, strict=True) if rows}
    assert not unproven


def test_each_rule_has_cases() -> None:
    tried = {case.revision for cases in (TO_2_0, TO_2_9, TO_3, TO_3_0) for case in cases}
    assert {rule.revision for rule in RULES} == tried


#: The rules that each version has to prove.
RULES_OF = {
    "2.11.2": [rule for rule in RULES if rule.release.startswith("2.")],
    "3.2.1": [rule for rule in RULES if rule.release.startswith("3.") and not rule.mended_in],
    "3.0.6": [rule for rule in RULES if rule.mended_in],
}


def rules_of(case: Case, target: str) -> list[MigrationRule]:
    return [rule for rule in RULES_OF[target] if rule.revision == case.revision]


def query(rule: MigrationRule) -> str:
    """How many rows break the rule, as an export looks for them."""
    condition = rule.condition.replace("{table}", rule.table)
    return f"select count(*) filter (where {condition}) from {rule.table} t where {rule.hint}"
