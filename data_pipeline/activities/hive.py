"""Hive scripts: as they are, or with the tables that Data Pipeline made of the data nodes."""

# bandit (nosec B608): what looks like statements built from input is the text of the user's own DAG.

from __future__ import annotations

import re
from dataclasses import dataclass

from ..draft import Draft
from ..expressions.values import Text
from ..model import PipelineObject

_VARIABLE = re.compile(r"\$\{(input|output)(\d+)\}", re.IGNORECASE)


@dataclass(frozen=True)
class HiveWork:
    """What an activity has Hive do: `tables` makes the staged tables; then comes the script, `body` or at `uri`."""

    options: list[str]
    tables: str
    body: str = ""
    uri: str | None = None


def commands(draft: Draft, activity: PipelineObject) -> list[tuple[str, list[str]]]:
    """The commands that run an activity's script, each with its title, for EMR's command runner."""
    found = work(draft, activity)
    name = draft.name(activity)
    if found.uri is None:
        file = draft.file(f"{name}.hql", found.tables + found.body)
        return [(activity.name, ["hive", *found.options, "-e", f"{{% include '{file}' %}}"])]
    run = ["hive-script", "--run-hive-script", "--args", *found.options, "-f", found.uri]
    if not found.tables:
        return [(activity.name, run)]
    file = draft.file(f"{name}_tables.hql", found.tables)
    return [(f"{activity.name}: tables", ["hive", "-e", f"{{% include '{file}' %}}"]), (activity.name, run)]


def work(draft: Draft, activity: PipelineObject) -> HiveWork:
    """What an activity has Hive do, wherever Hive runs."""
    options: list[str] = []
    queue = draft.text(activity, "hadoopQueue")
    if queue is not None:
        options += ["--hiveconf", f"mapreduce.job.queuename={queue.jinja}"]
        draft.ledger.note(activity, "hadoopQueue", "The property `mapreduce.job.queuename`.")
    for text in draft.texts(activity, "scriptVariable"):
        options += ["--hivevar", text.jinja]
        draft.ledger.note(activity, "scriptVariable", "A variable of the script.")
    script, uri = draft.text(activity, "hiveScript"), draft.text(activity, "scriptUri")
    tables = _staged_tables(draft, activity)
    if activity.type != "HiveCopyActivity" and script is None and uri is not None:
        draft.ledger.note(activity, "scriptUri", "The script in S3, which Hive reads.")
        if tables:
            for kind, number in _data_nodes(draft, activity):
                options += ["--hivevar", f"{kind}{number}={kind}{number}"]
        return HiveWork(options, tables, uri=uri.jinja)
    if script is None:
        return HiveWork(options, tables, _copying(draft, activity))
    draft.ledger.note(activity, "hiveScript", f"The file `{draft.name(activity)}.hql`.")
    return HiveWork(options, tables, _VARIABLE.sub(lambda match: f"{match[1].lower()}{match[2]}", script.jinja))


def _staged_tables(draft: Draft, activity: PipelineObject) -> str:
    """The statements that make a table of each data node, as Data Pipeline did; nothing where it did not."""
    if not _is_staged(draft, activity):
        draft.ledger.note(activity, "stage", "The script uses no staged table.")
        return ""
    statements = [
        _table(draft, activity, draft.referred(activity, kind)[number - 1], f"{kind}{number}")
        for kind, number in _data_nodes(draft, activity)
    ]
    draft.ledger.note(activity, "stage", "External tables over the data nodes, before the script.")
    return "\n".join(statements) + "\n" if statements else ""


def _is_staged(draft: Draft, activity: PipelineObject) -> bool:
    if activity.type == "HiveCopyActivity":
        return True
    script = draft.text(activity, "hiveScript")
    if script is None:
        # What a script in S3 uses is not known here: its author said it.
        return draft.truth(activity, "stage")
    return bool(_VARIABLE.search(script.jinja)) and draft.truth(activity, "stage", otherwise=True)


def _data_nodes(draft: Draft, activity: PipelineObject) -> list[tuple[str, int]]:
    return [
        (kind, number) for kind in ("input", "output") for number in range(1, len(draft.referred(activity, kind)) + 1)
    ]


def _table(draft: Draft, activity: PipelineObject, node: PipelineObject, name: str) -> str:
    """The statements that make one table."""
    drop = f"DROP TABLE IF EXISTS {name};\n"
    formats = draft.referred(node, "dataFormat")
    columns = [text.jinja for text in draft.texts(formats[0], "column")] if formats else []
    if node.type == "DynamoDBDataNode":
        table = draft.text(node, "tableName")
        properties = [f'"dynamodb.table.name" = "{table.jinja if table else ""}"']
        region = draft.text(node, "region")
        if region is not None:
            properties.append(f'"dynamodb.region" = "{region.jinja}"')
        if columns:
            mapping = ",".join(f"{column.split()[0]}:{column.split()[0]}" for column in columns)
            properties.append(f'"dynamodb.column.mapping" = "{mapping}"')
        for field, setting in (("readThroughputPercent", "read"), ("writeThroughputPercent", "write")):
            share = draft.text(node, field)
            if share is not None:
                drop = f"SET dynamodb.throughput.{setting}.percent = {share.jinja};\n{drop}"
                draft.ledger.note(node, field, "A setting of the Hive session.")
        shape = ", ".join(columns) or "item map<string,string>"
        handler = "STORED BY 'org.apache.hadoop.hive.dynamodb.DynamoDBStorageHandler'"
        return f"{drop}CREATE EXTERNAL TABLE {name} ({shape})\n{handler}\nTBLPROPERTIES ({', '.join(properties)});"
    path = draft.text(node, "directoryPath") or draft.text(node, "filePath")
    if node.type != "S3DataNode" or path is None:
        draft.ledger.decide(
            activity,
            "stage",
            f"Write the table {name} of {node.id} ({node.type}): Data Pipeline filled it from the database.",
        )
        return f"-- TODO: make the table {name} of {node.name}, which Data Pipeline filled from a database."
    if not columns:
        draft.ledger.decide(node, "dataFormat", f"Give the table {name} its columns: the definition has none.")
    shape = ", ".join(columns) or "line STRING"
    location = f"LOCATION '{_directory(path).jinja}'"
    return f"{drop}CREATE EXTERNAL TABLE {name} ({shape})\n{_row_format(draft, formats)}\n{location};"


def _directory(path: Text) -> Text:
    """A location that Hive takes, which ends with a slash."""
    return path if path.jinja.endswith("/") else path + "/"


def _row_format(draft: Draft, formats: list[PipelineObject]) -> str:
    """How Hive reads the lines of a data format."""
    if not formats or formats[0].type == "TSV":
        separator = (draft.fixed(formats[0], "columnSeparator") if formats else None) or "\\t"
        return f"ROW FORMAT DELIMITED FIELDS TERMINATED BY '{_escaped(separator)}'"
    found = formats[0]
    if found.type == "CSV":
        return "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'"
    if found.type == "RegEx":
        properties = []
        for field, key in (("inputRegEx", "input.regex"), ("outputFormat", "output.format.string")):
            text = draft.text(found, field)
            if text is not None:
                escaped = text.jinja.replace("\\", "\\\\").replace('"', '\\"')
                properties.append(f'"{key}" = "{escaped}"')
        serde = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'"
        return f"{serde} WITH SERDEPROPERTIES ({', '.join(properties)})" if properties else serde
    separator = draft.fixed(found, "columnSeparator", ",") or ","
    return f"ROW FORMAT DELIMITED FIELDS TERMINATED BY '{_escaped(separator)}'"


def _escaped(separator: str) -> str:
    return separator.replace("\t", "\\t").replace("\n", "\\n").replace("'", "\\'")


def _copying(draft: Draft, activity: PipelineObject) -> str:
    """The statement of a HiveCopyActivity."""
    where = draft.text(activity, "filterSql")
    condition = f"\nWHERE {where.jinja}" if where else ""
    draft.ledger.note(activity, "filterSql", "The condition of the copying statement.")
    return f"INSERT OVERWRITE TABLE output1\nSELECT * FROM input1{condition};"  # nosec B608
