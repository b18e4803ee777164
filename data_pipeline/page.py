"""PIPELINE.md: each object and field, what became of it, what to decide, what differs, and how to change over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath

from . import dependencies, object_reference
from .ledger import Level, Note, by_text
from .model import PipelineObject, Reference, Value
from .options import Options
from .run_values import Trigger
from .schedules import Plan
from .translated import Translation

_LONGEST = 120


def render(found: Translation, options: Options) -> str:
    """The page of a translation."""
    lines = [
        f"# {found.definition.name}",
        "",
        f"From {PurePath(found.definition.source).name}, for Airflow {options.airflow}: {_verdict(found)}",
        "",
        *_decisions(found),
        *_differences(found),
        *_set_up(found),
        *_change_over(found, options),
        *_objects(found),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _verdict(found: Translation) -> str:
    dags = ", ".join(f"`{dag_id}.py`" for dag_id in found.dag_ids)
    count = found.open_points
    if not count:
        return f"{dags}, whole."
    return f"{dags}, with {count} {'thing' if count == 1 else 'things'} to decide."


def _decisions(found: Translation) -> Iterator[str]:
    if found.decisions:
        yield "## Decide first"
        yield ""
        for text, notes in by_text(found.decisions).items():
            yield f"- [ ] {_places(notes)}{text}"
        yield ""


def _differences(found: Translation) -> Iterator[str]:
    different = [note for note in found.notes if note.level is Level.DIFFERENT]
    if different:
        yield "## What will be different"
        yield ""
        for text, notes in by_text(different).items():
            yield f"- {_places(notes)}{text}"
        yield ""


def _places(notes: Iterable[Note]) -> str:
    """The objects and fields that notes are about; nothing where they are about the pipeline."""
    named = [".".join(part for part in (note.object_id, note.field) if part) for note in notes]
    places = ", ".join(f"`{place}`" for place in named if place)
    return f"{places}: " if places else ""


def _set_up(found: Translation) -> Iterator[str]:
    yield "## Set up"
    yield ""
    yield "- Add the lines of `requirements.txt` to the environment's own; Amazon MWAA pins their versions."
    if found.variables:
        yield "- Variables: fill in `variables.json` and import it (`airflow variables import`), or keep them in"
        yield "  Secrets Manager, below `airflow/variables/`. Names with `secret` in them are masked in logs."
        yield ""
        yield "| variable | holds |"
        yield "| --- | --- |"
        for variable in found.variables:
            secret = " **Secret.**" if variable.is_secret else ""
            yield f"| `{variable.name}` | {_cell(variable.description)}{secret} |"
        yield ""
    if found.connections:
        yield "- Connections: fill in the passwords and each `<...>` in `connections.json` and import it (`airflow"
        yield "  connections import`), or keep them in Secrets Manager, below `airflow/connections/`."
        yield ""
        yield "| connection | type | host | password |"
        yield "| --- | --- | --- | --- |"
        for item in found.connections:
            password = _cell(item.password_from) or "none"
            yield f"| `{item.conn_id}` | {_cell(item.conn_type)} | {_cell(item.host)} | {password} |"
        yield ""
    yield "- Copy this folder below the environment's DAGs folder. The DAG starts paused where the environment's"
    yield "  `dags_are_paused_at_creation` is on, as Amazon MWAA's is."
    yield ""


def _change_over(found: Translation, options: Options) -> Iterator[str]:
    yield "## Change over"
    yield ""
    yield "Runs and their history stay in Data Pipeline; the DAG begins with its own first run."
    yield ""
    activation = found.definition.activation
    pipeline = activation.pipeline_id if activation else "<pipeline id>"
    for dag_id, plan in zip(found.dag_ids, found.plans, strict=True):
        yield from _first_run(dag_id, plan, options, found)
    yield "To compare first, let both run: give the DAG places of its own to write to (its variables and `params`, or"
    yield "other paths in its code), unpause it, and compare what a run of each has left, interval by interval:"
    yield ""
    option = "-d " if options.release < (3,) else ""
    for dag_id, plan in zip(found.dag_ids, found.plans, strict=True):
        # A run on demand has its own time in each system.
        if not _is_triggered(plan):
            yield f"    airflow dags list-runs {option}{dag_id} --output json > {dag_id}.json"
            yield f"    mwaa-migrator compare --id {pipeline} --runs {dag_id}.json"
    for place in _written(found) or ["<place of the pipeline>"]:
        yield f"    mwaa-migrator compare --place {place} <place of the DAG>"
    yield ""
    yield "Tables are compared in their database, where both queries must be empty:"
    yield ""
    yield "    SELECT * FROM <table of the pipeline> EXCEPT SELECT * FROM <table of the DAG>;"
    yield "    SELECT * FROM <table of the DAG> EXCEPT SELECT * FROM <table of the pipeline>;"
    yield ""
    yield "Then, when the pipeline is between two runs:"
    yield ""
    yield f"1. `aws datapipeline deactivate-pipeline --pipeline-id {pipeline} --no-cancel-active` lets runs finish."
    if all(_is_triggered(plan) for plan in found.plans):
        yield "2. Give the DAG the real places to write to, and trigger it where you activated the pipeline."
    else:
        yield "2. Look up the last scheduled start that finished; the DAG begins with the next one."
        yield "3. Translate again with `--start` of that time, copy the folder, and unpause the DAG."
    yield ""


def _written(found: Translation) -> list[str]:
    """Where the activities write in S3: of each place the beginning that is the same in every run."""
    places: dict[str, None] = {}
    for activity in dependencies.activities(found.definition):
        for node in (found.definition.objects[node_id] for node_id in activity.references("output")):
            text = node.text("directoryPath") or node.text("filePath") or ""
            fixed = text.partition("#{")[0]
            if node.type == "S3DataNode" and fixed.startswith("s3"):
                places[fixed] = None
    return list(places)


def _is_triggered(plan: Plan) -> bool:
    return plan.trigger is Trigger.ONDEMAND or (plan.count == 1 and plan.start is None)


def _first_run(dag_id: str, plan: Plan, options: Options, found: Translation) -> Iterator[str]:
    if _is_triggered(plan):
        yield f"- `{dag_id}` runs when it is triggered: trigger it where you activated the pipeline."
    elif options.start is not None:
        start = f"{options.start:%Y-%m-%d %H:%M} UTC"
        yield f"- `{dag_id}` takes over with the run whose scheduled start is {start}, and catches up from there."
    else:
        known = found.definition.activation
        following = f" The next run is due at {known.next_run:%Y-%m-%dT%H:%M}." if known and known.next_run else ""
        yield f"- `{dag_id}` has no catch-up yet, so it makes no run of the past.{following} Translate again with"
        yield "  `--start` of the first run that Data Pipeline is not to make: no interval is lost then or doubled."
    yield ""


def _objects(found: Translation) -> Iterator[str]:
    yield "## Objects and fields"
    yield ""
    for item in found.definition.objects.values():
        kind = object_reference.kind(item.type)
        yield f"### {item.id}" + (f" ({item.type}, {kind})" if kind else "")
        yield ""
        for note in found.notes:
            if (note.object_id, note.field) == (item.id, ""):
                yield f"{note.text}"
                yield ""
        rows = list(_rows(found, item))
        if rows:
            yield "| field | was | became |"
            yield "| --- | --- | --- |"
            yield from rows
            yield ""


def _rows(found: Translation, item: PipelineObject) -> Iterator[str]:
    for name, values in item.fields.items():
        if name == "type" or item.origin(name) != item.id:
            continue
        notes = [note for note in found.notes if (note.object_id, note.field) == (item.id, name)]
        decisions = " ".join(f"**Decide:** {note.text}" if note.level is Level.DECIDE else note.text for note in notes)
        yield f"| `{name}` | {_was(values)} | {_cell(decisions)} |"


def _was(values: tuple[Value, ...]) -> str:
    shown = [f"&rarr; {value.id}" if isinstance(value, Reference) else _cell(value) for value in values]
    return ", ".join(f"`{text}`" if not text.startswith("&rarr;") else text for text in shown) or "empty"


def _cell(text: str) -> str:
    """A text in a table's cell, on one line."""
    line = " ".join(text.split())
    if len(line) > _LONGEST * 4:
        line = f"{line[: _LONGEST * 4]}..."
    return line.replace("|", "\\|").replace("`", "'") if "`" in text and "|" in text else line.replace("|", "\\|")
