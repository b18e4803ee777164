"""Pig scripts, with the relations that Data Pipeline made of the data nodes."""

from __future__ import annotations

import re

from ..draft import Draft
from ..model import PipelineObject

_VARIABLE = re.compile(r"\$\{(input|output)(\d+)\}", re.IGNORECASE)
_TYPES = {
    "string": "chararray",
    "int": "int",
    "bigint": "long",
    "double": "double",
    "float": "float",
    "timestamp": "chararray",
}


def arguments(draft: Draft, activity: PipelineObject) -> list[str]:
    """The command that runs an activity's script, for EMR's command runner."""
    options: list[str] = []
    for text in draft.texts(activity, "scriptVariable"):
        options += ["-param", text.jinja]
        draft.ledger.note(activity, "scriptVariable", "A parameter of the script.")
    queue = draft.text(activity, "hadoopQueue")
    if queue is not None:
        options = [f"-Dmapreduce.job.queuename={queue.jinja}", *options]
        draft.ledger.note(activity, "hadoopQueue", "The property `mapreduce.job.queuename`.")
    if activity.text("generatedScriptsPath"):
        draft.ledger.dropped(
            activity, "generatedScriptsPath", "No script is generated while it runs; it lies beside the DAG."
        )
    script, uri = draft.text(activity, "script"), draft.text(activity, "scriptUri")
    staged = draft.truth(activity, "stage")
    loads, stores, names = _staged(draft, activity) if staged else ("", "", [])
    if staged:
        draft.ledger.note(activity, "stage", "LOAD and STORE of the data nodes around the script.")
    if script is None and uri is not None:
        draft.ledger.note(activity, "scriptUri", "The script in S3, run by Pig.")
        if not staged:
            return ["pig-script", "--run-pig-script", "--args", *options, "-f", uri.jinja]
        given = " ".join(f"-param {name}={name}" for name in names)
        passed = " ".join(f"{key} {value}" for key, value in zip(options[::2], options[1::2], strict=False))
        body = f"run {' '.join(part for part in (given, passed) if part)} {uri.jinja};\n"
    else:
        body = _VARIABLE.sub(lambda match: f"{match[1].lower()}{match[2]}", script.jinja if script else "") + "\n"
    file = draft.file(f"{draft.name(activity)}.pig", f"{loads}{body}{stores}")
    draft.ledger.note(activity, "script", f"The file `{file}`, run by `pig -e`.")
    return ["pig", *options, "-e", f"{{% include '{file}' %}}"]


def _staged(draft: Draft, activity: PipelineObject) -> tuple[str, str, list[str]]:
    """What loads the inputs and what stores the outputs, and the relations' names."""
    loads, stores, names = "", "", []
    for kind in ("input", "output"):
        for number, node in enumerate(draft.referred(activity, kind), start=1):
            name = f"{kind}{number}"
            names.append(name)
            path = draft.text(node, "directoryPath") or draft.text(node, "filePath")
            if node.type != "S3DataNode" or path is None:
                draft.ledger.decide(
                    activity,
                    kind,
                    f"Write what loads or stores {name}: {node.id} is a {node.type}, which Pig does not reach.",
                )
                loads += f"-- TODO: {name} is {node.name}, which Data Pipeline staged from a database.\n"
            elif kind == "input":
                loads += f"{name} = LOAD '{path.jinja}' USING {_storage(draft, node)}{_schema(draft, node)};\n"
            else:
                stores += f"STORE {name} INTO '{path.jinja}' USING {_storage(draft, node)};\n"
    return loads, stores, names


def _storage(draft: Draft, node: PipelineObject) -> str:
    formats = draft.referred(node, "dataFormat")
    if formats and formats[0].type == "RegEx":
        text = draft.text(formats[0], "inputRegEx")
        pattern = text.jinja.replace("\\", "\\\\").replace("'", "\\'") if text else ""
        return f"org.apache.pig.piggybank.storage.MyRegExLoader('{pattern}')"
    separator = "\\t"
    if formats:
        default = "," if formats[0].type == "CSV" else "\\t"
        separator = (draft.fixed(formats[0], "columnSeparator", default) or default).replace("\t", "\\t")
    return f"PigStorage('{separator}')"


def _schema(draft: Draft, node: PipelineObject) -> str:
    formats = draft.referred(node, "dataFormat")
    columns = [text.jinja.split() for text in draft.texts(formats[0], "column")] if formats else []
    typed = [f"{name}:{_TYPES.get(kind[0].lower() if kind else 'string', 'chararray')}" for name, *kind in columns]
    return f" AS ({', '.join(typed)})" if typed else ""
