"""What Airflow's own migrations do not take, by Alembic revision; a test proves each rule by a row on which they fail.

A migration that meets such a row ends with an error, and the whole upgrade with it; on Airflow 3 that is an update of
the environment that fails after an hour. A rule applies to a database that its revision is still to come for.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence, Tuple

from mwaa_migrator.options import DUPLICATES, NULLS, VALUES


class MigrationRule(NamedTuple):
    """Rows that the migration ``revision``, of ``release`` and of those before ``mended_in``, does not take.

    Without revision and release it is the target's table that does not take them.
    ``condition`` is SQL on a row with the alias ``t``; ``{table}`` in it is the table. Of duplicates it holds for all
    but the one that stays. ``needs`` are the columns that the rule reads: where the table lacks one, no row breaks it.
    ``names`` are the columns by which people know a row. ``always_aside`` says that the rows are set aside without
    being asked for, because Airflow itself never reads them. ``hint`` is a cheap condition that holds for each of these
    rows and for few others; a rule that is ``costly`` has none, and is looked for only where it decides. ``unique`` are
    columns of which the target has a unique constraint, so that its rows are refused there whatever the source's
    revision is; where the source has that constraint, no row breaks the rule. ``is_mended`` says that no export is
    refused for these rows, because they are mended before Airflow 3's migrations see them (mending/).
    """

    revision: str | None
    release: str
    kind: str
    table: str
    needs: Tuple[str, ...]
    condition: str
    names: Tuple[str, ...]
    reason: str
    remedy: str
    mended_in: str | None = None
    always_aside: bool = False
    hint: str = "true"
    costly: bool = False
    unique: Tuple[str, ...] = ()
    is_mended: bool = False


#: The migrations of 3.0 that make ``jsonb`` of an XCom's value and of a run's conf.
XCOMS_TO_JSONB, CONFS_TO_JSONB = "eed27faa34e3", "e39a26ac59f6"

_XCOM = ("dag_id", "task_id", "execution_date", "run_id", "map_index", "key")
_RUN = ("dag_id", "run_id", "execution_date")

#: An XCom's text without its escaped backslashes, so that each backslash in it begins an escape. ``encode`` takes any
#: bytes, and doubles a backslash.
_ESCAPES = r"replace(encode(t.value, 'escape'), '\\\\', '')"
#: The same without its strings.
_OUTSIDE_STRINGS = rf"""regexp_replace({_ESCAPES}, '"([^"\\]|\\\\.|\\[0-7][0-7][0-7])*"', '""', 'g')"""
#: What Airflow 3's migration puts quotes around, wherever it stands.
NO_NUMBER = r"([:,\[]\s*|^)(NaN|-?Infinity)(?=\s*[,}\]]|$)"
#: Neither empty nor a pickle.
_IS_JSON = r"substring(t.value from 1 for 1) not in ('', '\x80')"
_HAS_ESCAPE = r"position('\x5c75'::bytea in t.value) > 0"
HAS_NO_NUMBER = "(position('NaN'::bytea in t.value) > 0 or position('Infinity'::bytea in t.value) > 0)"

#: JSON begins with one of these bytes; of words there are three.
_BEGINS_NO_JSON = (
    r"substring(t.value from 1 for 1) not in ('{', '[', '\x22', '-', 'N', 'I', ' ', '\x09', '\x0a', '\x0d', "
    "'0', '1', '2', '3', '4', '5', '6', '7', '8', '9') and t.value not in ('true', 'false', 'null')"
)
#: With an exponent that PostgreSQL's type numeric does not have.
_TOO_LARGE_NUMBER = (
    r"[0-9][eE][+]?0*([0-9]{7,}|[2-9][0-9]{5}|1[4-9][0-9]{4}|13[2-9][0-9]{3}|131[1-9][0-9]{2}|1310[89][0-9]|13107[2-9])"
)

#: A NUL character after others, in a text of less than 256 bytes, as pickle's operation SHORT_BINUNICODE. Its MEMOIZE,
#: which follows a text, is no printable character.
_NUL_IN_PICKLE = r"""encode(t.conf, 'escape') ~ '\\214(.|\\[0-7]{3})[ -\[\]-~]+\\000'"""

#: NaN, Infinity and -Infinity as pickle's operation BINFLOAT.
_NO_NUMBER_IN_PICKLE = (
    r"(position('\x477ff8000000000000'::bytea in t.conf) > 0 or position('\x477ff0000000000000'::bytea in t.conf) > 0"
    r" or position('\x47fff0000000000000'::bytea in t.conf) > 0)"
)


def _without_no_numbers(text: str) -> str:
    return rf"length(regexp_replace({text}, '{NO_NUMBER}', '', 'g'))"


RULES: Sequence[MigrationRule] = (
    MigrationRule(
        "bbf4a7ad0465", "2.0.0", DUPLICATES, "xcom", ("id", "execution_date"),
        "exists (select 1 from {table} o where o.dag_id = t.dag_id and o.task_id = t.task_id and o.key = t.key "
        "and o.execution_date = t.execution_date and (o.timestamp, o.id) > (t.timestamp, t.id))",
        _XCOM,
        "2.0 makes key, task, DAG and date the XCom's primary key",
        "Delete all but the newest, which is the one that tasks read.",
        always_aside=True,
    ),
    MigrationRule(
        "bbf4a7ad0465", "2.0.0", NULLS, "xcom", ("id", "execution_date"), "t.key is null", _XCOM,
        "2.0 makes the key a part of the XCom's primary key", "Give them a key, or delete them.",
    ),
    MigrationRule(
        "8f966b9c467a", "2.0.0", NULLS, "connection", ("conn_type",), "t.conn_type is null", ("conn_id", "id"),
        "2.0 wants a type for each connection", "Set their conn_type, or delete them.",
    ),
    MigrationRule(
        "8d48763f6d53", "2.0.0", NULLS, "connection", ("conn_id",), "t.conn_id is null", ("id", "host"),
        "2.0 wants an id for each connection", "Set their conn_id, or delete them.",
    ),
    MigrationRule(
        "8d48763f6d53", "2.0.0", DUPLICATES, "connection", ("conn_id", "id"),
        "exists (select 1 from {table} o where o.conn_id = t.conn_id and o.id < t.id)", ("conn_id", "host", "id"),
        "2.0 wants one connection for each conn_id, where 1.10 took any of them",
        "Rename or delete all but one of each conn_id.",
    ),
    MigrationRule(
        "686269002441", "2.9.2", DUPLICATES, "connection", ("conn_id", "id"),
        "exists (select 1 from {table} o where o.conn_id = t.conn_id and o.id < t.id)", ("conn_id", "host", "id"),
        "the unique constraint on conn_id is missing, and 2.9.2 makes it again",
        "Rename or delete all but one of each conn_id.",
        unique=("conn_id",),
    ),
    MigrationRule(
        "686269002441", "2.9.2", DUPLICATES, "dag_run", ("execution_date", "id"),
        "exists (select 1 from {table} o "
        "where o.dag_id = t.dag_id and o.execution_date = t.execution_date and o.id < t.id)",
        _RUN,
        "the unique constraint on their DAG and date is missing, and 2.9.2 makes it again",
        "Delete all but one of the runs of one date.",
        unique=("dag_id", "execution_date"),
    ),
    MigrationRule(
        "0d9e73a75ee4", "3.0.0", VALUES, "dataset", ("uri",), "length(t.uri) > 1500", ("id", "uri"),
        "3.0 allows 1,500 characters for an asset's URI", "Shorten the URIs in the DAGs, or delete the rows.",
    ),
    MigrationRule(
        "fb2d4922cd79", "3.0.0", VALUES, "dataset_alias", ("name",), "length(t.name) > 1500", ("id", "name"),
        "3.0 allows 1,500 characters for an alias's name", "Shorten the names in the DAGs, or delete the rows.",
    ),
    MigrationRule(
        XCOMS_TO_JSONB, "3.0.0", VALUES, "xcom", ("value",), "octet_length(t.value) = 0", _XCOM,
        "3.0 looks at the first byte of each XCom, and these have none", "Delete them, or set their value to NULL.",
        hint="octet_length(t.value) = 0",
        is_mended=True,
    ),
    MigrationRule(
        XCOMS_TO_JSONB, "3.0.0", VALUES, "xcom", ("value",),
        rf"{_IS_JSON} and {_BEGINS_NO_JSON}", _XCOM,
        "3.0 keeps XComs as jsonb, and these are no JSON",
        "Delete them: a custom XCom backend has written them, say.",
        hint=_BEGINS_NO_JSON,
        is_mended=True,
    ),
    MigrationRule(
        XCOMS_TO_JSONB, "3.0.0", VALUES, "xcom", ("value",),
        rf"{_IS_JSON} and {_OUTSIDE_STRINGS} ~ '{_TOO_LARGE_NUMBER}'", _XCOM,
        "3.0 keeps XComs as jsonb, whose numbers have at most 131,072 digits",
        "Delete them, or write their numbers as text.",
        costly=True,
        is_mended=True,
    ),
    MigrationRule(
        XCOMS_TO_JSONB, "3.0.0", VALUES, "xcom", ("value",),
        rf"{_IS_JSON} and {_HAS_ESCAPE} and {_ESCAPES} ~ '\\\\u0000'", _XCOM,
        "3.0 keeps XComs as jsonb, which has no NUL character (\\u0000)",
        "Delete them, or take the character out of their values.",
        hint=_HAS_ESCAPE,
        is_mended=True,
    ),
    MigrationRule(
        XCOMS_TO_JSONB, "3.0.0", VALUES, "xcom", ("value",),
        rf"{_IS_JSON} and {_HAS_ESCAPE} and "
        rf"regexp_replace({_ESCAPES}, '\\\\u[dD][89abAB]..\\\\u[dD][c-fC-F]..', '', 'g') ~ '\\\\u[dD][89a-fA-F]'",
        _XCOM,
        "3.0 keeps XComs as jsonb, which has no halves of characters (surrogates such as \\ud800)",
        "Delete them, or take the halves out of their values.",
        hint=_HAS_ESCAPE,
        is_mended=True,
    ),
    MigrationRule(
        XCOMS_TO_JSONB, "3.0.0", VALUES, "xcom", ("value",),
        rf"{_IS_JSON} and {HAS_NO_NUMBER} and {_OUTSIDE_STRINGS} ~ '(NaN|Infinity)'", _XCOM,
        "3.0 keeps XComs as jsonb, which has neither NaN nor Infinity",
        "Delete them, or migrate to Airflow 3.2 or later, which makes text of them.",
        mended_in="3.2.0",
        hint=HAS_NO_NUMBER,
        is_mended=True,
    ),
    MigrationRule(
        XCOMS_TO_JSONB, "3.2.0", VALUES, "xcom", ("value",),
        rf"{_IS_JSON} and {HAS_NO_NUMBER} and "
        rf"length({_ESCAPES}) - {_without_no_numbers(_ESCAPES)} "
        rf"<> length({_OUTSIDE_STRINGS}) - {_without_no_numbers(_OUTSIDE_STRINGS)}",
        _XCOM,
        "3.2 puts quotes around NaN and Infinity inside texts, too, which breaks the JSON",
        "Delete them, or take NaN and Infinity out of their texts.",
        hint=HAS_NO_NUMBER,
        is_mended=True,
    ),
    MigrationRule(
        CONFS_TO_JSONB, "3.0.0", VALUES, "dag_run", ("conf",), _NUL_IN_PICKLE, _RUN,
        "3.0 keeps a run's conf as jsonb, which has no NUL character",
        "Set the conf of these runs to NULL.",
        hint=r"position('\x8c'::bytea in t.conf) > 0",
        is_mended=True,
    ),
    MigrationRule(
        CONFS_TO_JSONB, "3.0.0", VALUES, "dag_run", ("conf",),
        _NO_NUMBER_IN_PICKLE,
        _RUN,
        "3.0 keeps a run's conf as jsonb, which has neither NaN nor Infinity",
        "Set the conf of these runs to NULL.",
        hint=_NO_NUMBER_IN_PICKLE,
        is_mended=True,
    ),
)  # fmt: skip
