"""Copies between S3 and databases, record by record where Data Pipeline did so."""

# bandit (nosec B608): what looks like statements built from input is the text of the user's own DAG.

from __future__ import annotations

import re

from .. import databases
from ..dag_file import Task
from ..draft import Draft
from ..model import PipelineObject
from . import redshift

_S3 = "airflow.providers.amazon.aws.operators.s3"
_SQL_NODES = ("SqlDataNode", "MySqlDataNode")


def translate(draft: Draft, activity: PipelineObject, setups: list[str]) -> list[str]:
    """The task that copies, for the pair of data nodes that it copies between."""
    source, target = draft.referred(activity, "input")[0], draft.referred(activity, "output")[0]
    draft.ledger.dropped(activity, "runsOn", "The environment's worker copies; it needs a way to the databases.")
    if source.type == "S3DataNode" and target.type == "S3DataNode":
        task = _objects(draft, activity, source, target)
    elif source.type in _SQL_NODES and target.type == "S3DataNode":
        task = _rows_to_s3(draft, activity, source, target)
    elif source.type == "S3DataNode" and target.type in _SQL_NODES:
        task = _rows_from_s3(draft, activity, source, target)
    elif source.type in _SQL_NODES and target.type in _SQL_NODES:
        task = _rows(draft, activity, source, target)
    else:
        draft.ledger.decide(
            activity,
            "",
            f"Write how a {source.type} is copied to a {target.type}: Data Pipeline does not say that it can.",
        )
        task = Task(
            draft.name(activity),
            draft.airflow.empty,
            "EmptyOperator",
            {},
            comment=f"TODO: copy {source.name} to {target.name}.",
        )
    draft.add(task, activity)
    return [task.name]


def _objects(draft: Draft, activity: PipelineObject, source: PipelineObject, target: PipelineObject) -> Task:
    name = draft.name(activity)
    here, there = draft.text(source, "filePath"), draft.text(target, "filePath")
    if draft.referred(source, "dataFormat") != draft.referred(target, "dataFormat"):
        draft.ledger.decide(
            activity,
            "",
            "The nodes have different data formats, which Data Pipeline converted; the objects are copied as they are.",
        )
    for node in (source, target):
        for field in ("filePath", "directoryPath"):
            draft.ledger.note(node, field, "The place to copy from, or to.")
    if here is not None and there is not None:
        arguments = {"source_bucket_key": here.jinja, "dest_bucket_key": there.jinja}
        return Task(name, _S3, "S3CopyObjectOperator", arguments)
    from_place = here or draft.text(source, "directoryPath")
    to_place = there or draft.text(target, "directoryPath")
    destination = to_place.jinja if to_place else ""
    if here is not None:
        # A file keeps its name in the directory.
        last = here.split("/")[-1]
        file_name = last.jinja if len(last.pieces) > 1 else f"{{{{ ({here.expression}).split('/')[-1] }}}}"
        if not here.deferred:
            file_name = last.jinja
        arguments = {"source_bucket_key": here.jinja, "dest_bucket_key": f"{destination.rstrip('/')}/{file_name}"}
        return Task(name, _S3, "S3CopyObjectOperator", arguments)
    return Task(name, "", "copy_prefix", {"source": from_place.jinja if from_place else "", "destination": destination})


def _rows_to_s3(draft: Draft, activity: PipelineObject, source: PipelineObject, target: PipelineObject) -> Task:
    name = draft.name(activity)
    directory, path = draft.text(target, "directoryPath"), draft.text(target, "filePath")
    ending = "csv.gz" if (draft.fixed(target, "compression") or "").lower() == "gzip" else "csv"
    place = path.jinja if path else f"{(directory.jinja if directory else '').rstrip('/')}/{name}.{ending}"
    draft.ledger.note(target, "filePath", "The object that the rows are written to.")
    if directory is not None:
        draft.ledger.differs(
            target,
            "directoryPath",
            f"The rows are in one object, `{name}.{ending}`; Data Pipeline made up names of its own.",
        )
    draft.ledger.note(target, "compression", "The object is compressed.")
    arguments = {
        "conn_id": _connection(draft, source),
        "query": _select(draft, source, f"{name}.sql"),
        "uri": place,
        **_separator(draft, target),
    }
    return Task(name, "", "query_to_s3", arguments)


def _rows_from_s3(draft: Draft, activity: PipelineObject, source: PipelineObject, target: PipelineObject) -> Task:
    place = draft.text(source, "filePath") or draft.text(source, "directoryPath")
    for field in ("filePath", "directoryPath"):
        draft.ledger.note(source, field, "Where the rows are read.")
    arguments = {
        "uri": place.jinja if place else "",
        "conn_id": _connection(draft, target),
        "insert": _insert(draft, target),
        **_separator(draft, source),
    }
    return Task(draft.name(activity), "", "s3_to_table", arguments)


def _rows(draft: Draft, activity: PipelineObject, source: PipelineObject, target: PipelineObject) -> Task:
    name = draft.name(activity)
    arguments = {
        "source_conn_id": _connection(draft, source),
        "query": _select(draft, source, f"{name}.sql"),
        "conn_id": _connection(draft, target),
        "insert": _insert(draft, target),
    }
    return Task(name, "", "table_to_table", arguments)


def _connection(draft: Draft, node: PipelineObject) -> str:
    """The connection of a node's database, or of the node itself where it names its own."""
    found = draft.referred(node, "database")
    draft.ledger.note(node, "database", "The connection of the database.")
    return databases.connection(draft, found[0] if found else node)


def _select(draft: Draft, node: PipelineObject, file: str) -> str:
    query = draft.text(node, "selectQuery")
    draft.ledger.note(node, "table", "The table of the query.")
    if query is not None:
        draft.ledger.note(node, "selectQuery", f"The query, in the file `{file}`.")
        draft.file(file, query.jinja)
        return f"{{% include '{file}' %}}"
    table = _table(draft, node)
    return f"SELECT * FROM {table}"  # nosec B608


def _insert(draft: Draft, node: PipelineObject) -> str:
    query = draft.text(node, "insertQuery")
    draft.ledger.note(node, "table", "The table that rows are inserted into.")
    if draft.text(node, "createTableSql") is not None:
        redshift.create_table(draft, node)
        draft.ledger.decide(node, "createTableSql", "Make the table once, by hand: the task only inserts.")
    if query is None:
        draft.ledger.decide(node, "insertQuery", "Write one %s for each column: the definition has no statement.")
        return f"INSERT INTO {_table(draft, node)} VALUES (%s)"  # nosec B608
    draft.ledger.note(node, "insertQuery", "The statement, with the driver's placeholders for question marks.")
    return re.sub(r"\?", "%s", query.jinja)


def _table(draft: Draft, node: PipelineObject) -> str:
    table, schema = draft.text(node, "table"), draft.text(node, "schemaName")
    name = table.jinja if table else ""
    return f"{schema.jinja}.{name}" if schema else name


def _separator(draft: Draft, node: PipelineObject) -> dict[str, str]:
    """The separator of a data format, where it is not the comma."""
    formats = draft.referred(node, "dataFormat")
    if not formats:
        return {}
    draft.ledger.note(node, "dataFormat", "The separator of the values.")
    default = "\t" if formats[0].type == "TSV" else ","
    for field in ("column", "columnSeparator", "escapeChar", "recordSeparator"):
        draft.ledger.note(formats[0], field, "How the copying task writes or reads lines.")
    separator = draft.fixed(formats[0], "columnSeparator", default) or default
    separator = separator.replace("\\t", "\t")
    return {} if separator == "," else {"separator": separator}
