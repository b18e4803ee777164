"""Tries on the source's rows what Airflow 3's migrations do to make ``jsonb`` of them, and names just those that fail.

The rules say why a text or a pickle is no ``jsonb``. Whether it is none, where JSON is broken, too large or too deep,
only the conversion knows. If all rows pass it, which takes one statement, none breaks a rule. Nothing is written.
"""

from __future__ import annotations

import json
import re
from typing import Dict, List, Sequence

from psycopg2 import DataError, sql
from psycopg2.errors import ProgramLimitExceeded, StatementTooComplex

from mwaa_migrator.airflow_schema.migration_rules import (
    CONFS_TO_JSONB,
    HAS_NO_NUMBER,
    NO_NUMBER,
    XCOMS_TO_JSONB,
    MigrationRule,
)
from mwaa_migrator.airflow_schema.plain_values import jsonb_problem
from mwaa_migrator.export.history_cut import HistoryCut
from mwaa_migrator.postgres.checksums import STORED_AS_UTF8
from mwaa_migrator.postgres.session import execute, fetch_value
from mwaa_migrator.this_airflow.release import version_tuple

#: From this release on the migration puts quotes around NaN and Infinity first.
_QUOTES_NO_NUMBERS = (3, 2, 0)
_QUOTED = rf"""
    case when {HAS_NO_NUMBER} then regexp_replace(convert_from(t.value, 'UTF8'), '{NO_NUMBER}', '\1"\2"', 'g')::jsonb
    else convert_from(t.value, 'UTF8')::jsonb end
"""
_AS_IT_IS = "convert_from(t.value, 'UTF8')::jsonb"
_NO_PICKLE = r"substring(t.value from 1 for 1) <> '\x80'"

#: Converts row by row, and leaves the places of those that fail, each with the server's reason, in a setting.
_ONE_BY_ONE = """
    declare
      place text;
      found text[];
    begin
      for place in select t.ctid::text from {table} t where {condition} loop
        begin
          perform {conversion} from {table} t where t.ctid = place::tid;
        exception when others then
          found := found || (place || ' ' || sqlerrm);
        end;
      end loop;
      perform set_config('mwaa_migrator.found', coalesce(array_to_json(found)::text, '[]'), true);
    end
"""

#: Pickles worth reading: with NaN or infinity, half a character, or a zero byte outside of the first frame's header.
_SUSPECT = r"(encode(t.conf, 'hex') ~ '47[7f]ff|ed[ab]' or position('\x00'::bytea in substring(t.conf from 12)) > 0)"
_BATCH = 1000

#: Rows by their places (ctid), by the reason for which they are no jsonb.
Failing = Dict[str, List[str]]


def exact_rules(cut: HistoryCut, rules: Sequence[MigrationRule], target_version: str | None) -> List[MigrationRule]:
    """The same rules, but those about conversions to ``jsonb`` hold for the rows that fail and for no others.

    In a database whose encoding is not UTF-8, XComs cannot be converted as they will be in the target, and the rules
    about them stay as they are.
    """
    exact = list(rules)
    encoding = cut.plan.source.connection.get_parameter_status("server_encoding")
    xcoms = [rule for rule in rules if rule.revision == XCOMS_TO_JSONB]
    if xcoms and encoding in STORED_AS_UTF8 and _has(cut, "xcom", "value"):
        failing = _failing_xcoms(cut, version_tuple(str(target_version)) >= _QUOTES_NO_NUMBERS)
        exact = [rule for rule in exact if rule not in xcoms] + _explained(xcoms, failing)
    confs = [rule for rule in rules if rule.revision == CONFS_TO_JSONB]
    if confs and _has(cut, "dag_run", "conf"):
        found = _failing_confs(cut)
        exact = [rule for rule in exact if rule not in confs]
        exact += [
            confs[0]._replace(
                condition=_among(places),
                hint="true",
                reason=f"3.0 keeps a run's conf as jsonb, and these hold {reason}",
            )
            for reason, places in found.items()
        ]
    return exact


def _has(cut: HistoryCut, table: str, column: str) -> bool:
    tables = cut.plan.tables
    return table in tables and any((one.name, one.type) == (column, "bytea") for one in tables[table].columns)


def _explained(rules: Sequence[MigrationRule], failing: Failing) -> List[MigrationRule]:
    """Each rule for those of the rows for which it gives the reason, and for the others the server's reason."""
    if not failing:
        return []
    every = _among([place for places in failing.values() for place in places])
    exact = [rule._replace(condition=f"{every} and ({rule.condition})", hint="true") for rule in rules]
    unexplained = " and ".join([f"({rule.condition}) is not true" for rule in rules])
    for reason, places in failing.items():
        exact.append(
            rules[0]._replace(
                condition=f"{_among(places)} and {unexplained}",
                hint="true",
                reason=f"3.0 keeps XComs as jsonb, and PostgreSQL makes none of these: {reason}",
                remedy="Delete them, or set their value to NULL.",
            )
        )
    return exact


def _among(places: Sequence[str]) -> str:
    return "t.ctid = any(array[{}]::tid[])".format(", ".join([f"'{place}'" for place in places]))


def _failing_xcoms(cut: HistoryCut, quotes_no_numbers: bool) -> Failing:
    source, inside = cut.plan.source, cut.condition(cut.plan.tables["xcom"])
    connection = source.connection
    parts = {
        "table": source.table("xcom"),
        "condition": sql.SQL(" and ").join([sql.SQL(_NO_PICKLE), *([] if inside is None else [inside])]),
        "conversion": sql.SQL(_QUOTED if quotes_no_numbers else _AS_IT_IS),
    }
    execute(connection, "savepoint before_conversion")
    try:
        fetch_value(connection, sql.SQL("select count({conversion}) from {table} t where {condition}").format(**parts))
        return {}
    except (DataError, ProgramLimitExceeded, StatementTooComplex):
        execute(connection, "rollback to savepoint before_conversion")
    program = sql.SQL(_ONE_BY_ONE).format(**parts).as_string(connection)
    execute(connection, sql.SQL("do {}").format(sql.Literal(program)))
    failing: Failing = {}
    for line in json.loads(fetch_value(connection, "select current_setting('mwaa_migrator.found')")):
        place, reason = line.split(" ", 1)
        # Some reasons name bytes of the value.
        failing.setdefault(re.sub(r":? 0x.*", "", reason), []).append(place)
    return failing


def _failing_confs(cut: HistoryCut) -> Failing:
    source, inside = cut.plan.source, cut.condition(cut.plan.tables["dag_run"])
    conditions = [sql.SQL(_SUSPECT), *([] if inside is None else [inside])]
    failing: Failing = {}
    with source.connection.cursor("mwaa_migrator_suspect_confs") as confs:
        confs.itersize = _BATCH
        confs.execute(
            sql.SQL("select t.ctid::text, t.conf from {} t where {}").format(
                source.table("dag_run"), sql.SQL(" and ").join(conditions)
            )
        )
        for place, conf in confs:
            problem = jsonb_problem(bytes(conf))
            if problem is not None:
                failing.setdefault(problem, []).append(place)
    return failing
