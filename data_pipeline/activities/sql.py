"""SQL scripts, on the database of a connection or through the Redshift Data API."""

from __future__ import annotations

import re
from typing import Any

from .. import databases, sql_statements
from ..dag_file import Task
from ..draft import Draft
from ..model import PipelineObject
from ..python_code import Output
from . import redshift

_MODULE = "airflow.providers.common.sql.operators.sql"
#: Statements that Amazon Redshift refuses in a transaction, which several statements of a task are.
_ALONE = re.compile(r"vacuum|alter\s+table\s.*\sappend|create\s+(external|database)|drop\s+database", re.IGNORECASE)


def translate(draft: Draft, activity: PipelineObject, setups: list[str]) -> list[str]:
    """One task that runs the activity's script; before it, one that reads the script where it lies in S3."""
    (database, *_) = draft.referred(activity, "database")
    draft.ledger.note(activity, "database", "The database that the script runs on.")
    created = [sql for node in draft.referred(activity, "output") for sql in redshift.create_table(draft, node)]
    script = draft.text(activity, "script")
    if script is None:
        return _from_s3(draft, activity, database, created)
    if database.type == "RedshiftDatabase":
        return _on_redshift(draft, activity, database, created, script.jinja)
    name = draft.name(activity)
    arguments = [text.jinja for text in draft.texts(activity, "scriptArgument")]
    text = _with_placeholders(script.jinja, "%s") if arguments else script.jinja
    content = ";\n\n".join([*created, text.strip()])
    file = draft.file(f"{name}.sql", content)
    draft.ledger.note(activity, "script", f"The file `{file}`.")
    call = _call(draft, activity, database, file)
    if arguments:
        call["parameters"] = arguments
        draft.ledger.note(activity, "scriptArgument", "`parameters`, for the script's question marks.")
    draft.add(Task(name, _MODULE, "SQLExecuteQueryOperator", call), activity)
    return [name]


def _call(draft: Draft, activity: PipelineObject, database: PipelineObject, sql: Any) -> dict[str, Any]:
    draft.ledger.dropped(
        activity, "runsOn", "The environment's worker talks to the database itself; it needs a way to it."
    )
    if draft.text(activity, "queue") is not None:
        draft.ledger.dropped(activity, "queue", "It is for Amazon Redshift alone.")
    return {"conn_id": databases.connection(draft, database), "sql": sql, "split_statements": True}


def _from_s3(draft: Draft, activity: PipelineObject, database: PipelineObject, created: list[str]) -> list[str]:
    uri = draft.text(activity, "scriptUri")
    read = draft.name(activity, "read")
    draft.dag.add(Task(read, "", "read_object", {"uri": uri.jinja if uri else ""}))
    sql: Any
    draft.ledger.note(activity, "scriptUri", f"`{read}` reads the script when the DAG runs.")
    if draft.texts(activity, "scriptArgument"):
        draft.ledger.decide(
            activity, "scriptArgument", "Give the script's question marks their values: it is read when the DAG runs."
        )
    if database.type == "RedshiftDatabase":
        draft.ledger.decide(
            activity,
            "scriptUri",
            "The Redshift Data API takes one statement as a text: split the script where it has more.",
        )
        sql = [*created, Output(read, of_function=True)] if created else Output(read, of_function=True)
        return [read, *redshift.run(draft, activity, database, sql)]
    name = draft.name(activity)
    sql = [*created, Output(read, of_function=True)] if created else Output(read, of_function=True)
    draft.add(Task(name, _MODULE, "SQLExecuteQueryOperator", _call(draft, activity, database, sql)), activity)
    return [read, name]


def _on_redshift(
    draft: Draft, activity: PipelineObject, database: PipelineObject, created: list[str], script: str
) -> list[str]:
    name = draft.name(activity)
    arguments = [text.jinja for text in draft.texts(activity, "scriptArgument")]
    statements = sql_statements.split(_with_placeholders(script, ":p{}") if arguments else script)
    files = [
        draft.file(f"{name}.sql" if len(statements) == 1 else f"{name}_{number}.sql", statement)
        for number, statement in enumerate(statements, start=1)
    ]
    draft.ledger.note(
        activity, "script", f"{', '.join(f'`{file}`' for file in files)}: a statement each, in one transaction."
    )
    if len(statements) > 1 and any(_ALONE.match(statement) for statement in statements):
        draft.ledger.decide(
            activity,
            "script",
            "Make tasks of their own for statements that cannot run in a transaction, such as VACUUM.",
        )
    sql = [*redshift.query_group(draft, activity), *created, *files]
    extra: dict[str, Any] = {}
    if arguments:
        extra["parameters"] = [{"name": f"p{number}", "value": text} for number, text in enumerate(arguments, start=1)]
        draft.ledger.note(activity, "scriptArgument", "`parameters` of the Data API.")
    return redshift.run(draft, activity, database, sql[0] if len(sql) == 1 else sql, **extra)


def _with_placeholders(script: str, placeholder: str) -> str:
    """A script whose question marks outside of strings and comments are the placeholders of the driver."""
    number = 0
    parts = []
    for match in sql_statements.pieces(script):
        if match == "?":
            number += 1
            parts.append(placeholder.format(number))
        else:
            parts.append(match)
    return "".join(parts)
