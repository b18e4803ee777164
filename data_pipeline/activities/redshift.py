"""Amazon Redshift: statements through its Data API.

One operator for every mode of loading. Airflow's S3ToRedshiftOperator knows three of the four modes and neither
`transformSql` nor `queue`, and it writes keys into the statement where COPY can take the cluster's role.
"""

# bandit (nosec B608): what looks like statements built from input is the text of the user's own DAG.

from __future__ import annotations

import re
from typing import Any

from .. import databases
from ..dag_file import Task
from ..draft import Draft
from ..expressions.values import Text
from ..model import PipelineObject

_MODULE = "airflow.providers.amazon.aws.operators.redshift_data"
_STAGING = "staging"
_DEFAULT_ROLE = "COPY and UNLOAD use the cluster's default role: give it one that may reach the data."


def run(draft: Draft, activity: PipelineObject, database: PipelineObject, sql: Any, **arguments: Any) -> list[str]:
    """One task that runs statements: several of them in one transaction, in one session."""
    name = draft.name(activity)
    target = databases.redshift_target(draft, database)
    task = Task(name, _MODULE, "RedshiftDataOperator", {**target, "sql": sql, **arguments})
    draft.add(task, activity)
    draft.ledger.dropped(activity, "runsOn", "The Redshift Data API needs no machine of its own.")
    return [name]


def translate_copy(draft: Draft, activity: PipelineObject, setups: list[str]) -> list[str]:
    """A RedshiftCopyActivity: COPY into a table, or UNLOAD out of one."""
    source, target = draft.referred(activity, "input")[0], draft.referred(activity, "output")[0]
    statements = query_group(draft, activity)
    if target.type == "S3DataNode":
        statements.append(_unload(draft, activity, source, target))
        return run(draft, activity, draft.referred(source, "database")[0], statements)
    statements += _load(draft, activity, source, target)
    draft.ledger.note(target, "database", "The database that the statements run in.")
    sql = statements[0] if len(statements) == 1 else statements
    return run(draft, activity, draft.referred(target, "database")[0], sql)


def query_group(draft: Draft, activity: PipelineObject) -> list[str]:
    """The statement that puts an activity's other statements into its queue."""
    queue = draft.text(activity, "queue")
    if queue is None:
        return []
    draft.ledger.note(activity, "queue", "`SET query_group`, before the other statements.")
    return [f"SET query_group TO '{queue.jinja}'"]


def _load(draft: Draft, activity: PipelineObject, source: PipelineObject, target: PipelineObject) -> list[str]:
    table = qualified(draft, target)
    mode = (draft.fixed(activity, "insertMode", "APPEND") or "APPEND").upper()
    draft.ledger.note(activity, "insertMode", f"{mode}: see the statements.")
    statements = create_table(draft, target)
    transform = draft.text(activity, "transformSql")
    copy = _copy(draft, activity, source, table if mode == "APPEND" and transform is None else _STAGING)
    if mode == "TRUNCATE" and transform is None:
        # DELETE, since TRUNCATE would end the transaction.
        return [*statements, f"DELETE FROM {table}", copy.replace(f"COPY {_STAGING} ", f"COPY {table} ", 1)]  # nosec B608
    if mode == "APPEND" and transform is None:
        return [*statements, copy]
    statements += [f"CREATE TEMP TABLE {_STAGING} (LIKE {table} INCLUDING DEFAULTS)", copy]
    rows = _STAGING
    if transform is not None:
        statements.append(f"CREATE TEMP TABLE {_STAGING}_2 AS {transform.jinja.rstrip().rstrip(';')}")
        draft.ledger.note(activity, "transformSql", "A second staging table, made by the statement.")
        rows = f"{_STAGING}_2"
    if mode == "TRUNCATE":
        statements.append(f"DELETE FROM {table}")  # nosec B608
    elif mode in ("OVERWRITE_EXISTING", "KEEP_EXISTING"):
        keys = _keys(draft, activity, target)
        same = " AND ".join(f"{table}.{key} = {rows}.{key}" for key in keys)
        if mode == "OVERWRITE_EXISTING":
            statements.append(f"DELETE FROM {table} USING {rows} WHERE {same}")  # nosec B608
        else:
            statements.append(f"DELETE FROM {rows} USING {table} WHERE {same}")  # nosec B608
    return [*statements, f"INSERT INTO {table} SELECT * FROM {rows}"]  # nosec B608


def _keys(draft: Draft, activity: PipelineObject, target: PipelineObject) -> list[str]:
    """The columns by which an incoming row is one that the table has."""
    keys = [part.stripped().jinja for text in draft.texts(target, "primaryKeys") for part in text.split(",")]
    if keys:
        draft.ledger.note(target, "primaryKeys", "The columns by which rows are matched.")
        return keys
    created = draft.text(target, "createTableSql")
    found = _declared_keys(created.jinja) if created else []
    if found:
        return found
    variable = draft.variable(f"{draft.name(activity)}_key", f"The column that identifies a row of {target.name}.")
    draft.ledger.decide(
        target,
        "primaryKeys",
        "Data Pipeline asked the table for its primary key; name the column in a variable, or write it.",
    )
    return [variable]


def _declared_keys(create: str) -> list[str]:
    """The primary key that a CREATE TABLE statement declares."""
    listed = re.search(r"primary\s+key\s*\(([^)]*)\)", create, re.IGNORECASE)
    if listed:
        return [name.strip().strip('"') for name in listed[1].split(",")]
    inline = re.search(r"[(,]\s*\"?(\w+)\"?\s[^,]*?primary\s+key", create, re.IGNORECASE)
    return [inline[1]] if inline else []


def create_table(draft: Draft, node: PipelineObject) -> list[str]:
    """The statement that makes a node's table where it is missing."""
    created = draft.text(node, "createTableSql")
    if created is None:
        return []
    draft.ledger.note(node, "createTableSql", "The first statement; it makes the table where it is missing.")
    sql = created.jinja.strip().rstrip(";")
    if not re.match(r"create\s+table\s+if\s+not\s+exists", sql, re.IGNORECASE):
        sql = re.sub(r"^create\s+table\s+", "CREATE TABLE IF NOT EXISTS ", sql, flags=re.IGNORECASE)
    return [sql]


def qualified(draft: Draft, node: PipelineObject) -> str:
    """A table with its schema."""
    table, schema = draft.text(node, "tableName"), draft.text(node, "schemaName")
    draft.ledger.note(node, "tableName", "The table of the statements.")
    draft.ledger.note(node, "schemaName", "The schema of the table.")
    name = table.jinja if table else ""
    return f"{schema.jinja}.{name}" if schema else name


def _copy(draft: Draft, activity: PipelineObject, source: PipelineObject, table: str) -> str:
    role = "IAM_ROLE default"
    draft.ledger.decide(activity, "", _DEFAULT_ROLE)
    if source.type == "DynamoDBDataNode":
        name, ratio = draft.text(source, "tableName"), draft.text(source, "readThroughputPercent")
        share = f"{{{{ (({ratio.expression}) | float * 100) | int }}}}" if ratio and ratio.deferred else "50"
        if ratio is not None and not ratio.deferred and ratio.fixed:
            share = str(round(float(ratio.fixed) * 100))
        draft.ledger.note(source, "tableName", "The source of COPY.")
        draft.ledger.note(source, "readThroughputPercent", "READRATIO of COPY.")
        return f"COPY {table} FROM 'dynamodb://{name.jinja if name else ''}' {role} READRATIO {share}"
    manifest = draft.text(source, "manifestFilePath")
    path = manifest or draft.text(source, "filePath") or draft.text(source, "directoryPath")
    for field in ("manifestFilePath", "filePath", "directoryPath"):
        draft.ledger.note(source, field, "The source of COPY.")
    options = _format_options(draft, activity, source)
    if manifest is not None:
        options.append("MANIFEST")
    if (draft.fixed(source, "compression") or "").lower() == "gzip":
        options.append("GZIP")
        draft.ledger.note(source, "compression", "GZIP of COPY.")
    return " ".join([f"COPY {table} FROM '{path.jinja if path else ''}' {role}", *options])


def _format_options(draft: Draft, activity: PipelineObject, source: PipelineObject) -> list[str]:
    """How COPY reads lines: by the data format, or else by the activity's own options, as the reference has it."""
    formats = draft.referred(source, "dataFormat")
    given = [text.jinja for text in draft.texts(activity, "commandOptions")]
    if not formats:
        draft.ledger.note(activity, "commandOptions", "Options of COPY.")
        return given
    if given:
        draft.ledger.decide(
            activity,
            "commandOptions",
            f"Data Pipeline ignores them beside a data format, so COPY has no {', '.join(given)}. Add what you meant.",
        )
    draft.ledger.note(source, "dataFormat", "Options of COPY.")
    found = formats[0]
    for field in ("column", "columnSeparator", "escapeChar", "recordSeparator"):
        draft.ledger.note(found, field, "Options of COPY; the table has the columns.")
    default = "\\t" if found.type == "TSV" else ","
    separator = (draft.fixed(found, "columnSeparator", default) or default).replace("\t", "\\t")
    options = [f"DELIMITER '{separator}'"]
    if found.type in ("CSV", "TSV") or draft.text(found, "escapeChar") is not None:
        # The separator can be in a value behind a backslash, with which Data Pipeline's own activities write it.
        options.append("ESCAPE")
    return options


def _unload(draft: Draft, activity: PipelineObject, source: PipelineObject, target: PipelineObject) -> str:
    path = draft.text(target, "directoryPath") or draft.text(target, "filePath")
    for field in ("filePath", "directoryPath"):
        draft.ledger.note(target, field, "The target of UNLOAD.")
    options = _format_options(draft, activity, target)
    if not options:
        # As CopyActivity reads and writes lines; by itself UNLOAD puts a bar between values.
        options = ["DELIMITER ','", "ESCAPE", r"NULL AS '\\N'"]
        draft.ledger.decide(
            target,
            "",
            "Without a data format the reference does not say how the lines were written: a comma between values, as "
            "CopyActivity reads them. Compare with an object that the pipeline left.",
        )
    draft.ledger.decide(activity, "", _DEFAULT_ROLE)
    if (draft.fixed(target, "compression") or "").lower() == "gzip":
        options.append("GZIP")
    table = qualified(draft, source)
    to = Text.of(*(path.pieces if path else ())).jinja
    return " ".join([f"UNLOAD ('SELECT * FROM {table}') TO '{to}' IAM_ROLE default ALLOWOVERWRITE", *options])  # nosec B608
