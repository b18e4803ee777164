"""Translates a definition: everything in its order, and what comes out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import checking, dependencies, field_notes, page, schedules, secrets, task_graph, timetables, undeclared
from .airflow_names import AirflowNames
from .dag_file import DagFile
from .draft import DEFAULT_RETRIES, DEFAULT_RETRY_DELAY, Connection, Draft, Variable, note_assumptions
from .expressions.scope import Runtime, number
from .ledger import Ledger
from .model import DEFAULT, Definition, PipelineObject
from .naming import Names, identifier
from .options import Options
from .problems import DefinitionRefused
from .python_code import Call, Code
from .run_values import Trigger, of_tasks
from .schedules import Plan
from .translated import UNKNOWN_START, Translation


def translate(definition: Definition, options: Options, names: Names | None = None) -> Translation:
    """Translates one definition. `names` keeps the DAG ids of several translations apart.

    Raises:
        problems.DefinitionRefused: it has problems; all of them at once.
    """
    hidden, problems = checking.resolved(secrets.take_out(undeclared.declare(definition)))
    if problems:
        raise DefinitionRefused(definition.source, problems)
    names = names or Names()
    folder = names.unique(identifier(hidden.name, "pipeline"), identifier(_pipeline_id(hidden), ""))
    ledger = Ledger()
    drafts = []
    for index, (plan, activities) in enumerate(_by_plan(hidden).items()):
        dag_id = folder if index == 0 else names.unique(f"{folder}_{identifier(plan.schedule_id)}")
        drafts.append(_draft(hidden, options, plan, dag_id, ledger))
        task_graph.fill(drafts[-1], activities)
        _declare(drafts[-1])
        drafts[-1].dag.hoist()
    if len(drafts) > 1:
        _between_schedules(hidden, ledger)
    for parameter in hidden.parameters.values():
        if parameter.named_at is not None:
            ledger.decide(
                hidden.objects[parameter.named_at[0]],
                parameter.named_at[1],
                f"No parameter declares `#{{{parameter.id}}}`: the DAG reads it from a variable, if it needs it.",
            )
    note_assumptions(ledger, dependencies.activities(hidden))
    field_notes.complete(hidden, ledger)
    return _translation(hidden, folder, drafts, ledger)


def _pipeline_id(definition: Definition) -> str:
    return definition.activation.pipeline_id if definition.activation else ""


def _by_plan(definition: Definition) -> dict[Plan, list[PipelineObject]]:
    """The activities by when they run: each plan becomes a DAG."""
    plans: dict[Plan, list[PipelineObject]] = {}
    for activity in dependencies.activities(definition):
        plans.setdefault(schedules.plan(definition, activity), []).append(activity)
    return plans


def _draft(definition: Definition, options: Options, plan: Plan, dag_id: str, ledger: Ledger) -> Draft:
    airflow = AirflowNames(options.release)
    start = options.start or plan.start or UNKNOWN_START
    schedule = timetables.timetable(plan, start, airflow)
    is_triggered = timetables.runs_once_when_triggered(plan)
    trigger = Trigger.ONDEMAND if is_triggered else plan.trigger
    variables = {
        name: f"{dag_id}_{'secret_' if definition.parameters[name].is_secret else ''}{identifier(stand_in)}"
        for name, stand_in in checking.stand_ins(definition).items()
    }
    title = f"{definition.name}: {definition.description}" if definition.description else definition.name
    pipeline = f" ({_pipeline_id(definition)})" if definition.activation else ""
    described = f"Translated from AWS Data Pipeline{pipeline}. PIPELINE.md says what became of what."
    dag = DagFile(dag_id, f"{_one_line(title)}.\n\n{described}\n", airflow, start)
    draft = Draft(
        definition, options, plan, dag, Runtime(of_tasks(trigger, plan.period, options.release), variables), ledger
    )
    last = plan.last
    if options.start is None and plan.start is None and plan.count and plan.period and plan.count > 1:
        last = plan.period.after(start, plan.count - 1)
    dag.arguments["schedule"] = schedule.schedule
    if last is not None and schedule.schedule is not None:
        dag.arguments["end_date"] = last
    dag.arguments["catchup"] = options.start is not None and not is_triggered
    dag.arguments["max_active_runs"] = _active_runs(draft, definition, is_triggered)
    dag.arguments["default_args"] = _default_args(draft)
    dag.arguments["tags"] = ["data-pipeline"]
    _note_schedule(draft, schedule.words, is_triggered)
    return draft


def _one_line(text: str) -> str:
    return " ".join(text.replace('"""', "'''").replace("\\", "/").split()).rstrip(".")


def _active_runs(draft: Draft, definition: Definition, is_triggered: bool) -> int:
    """How many runs at a time: the definition's number, else Data Pipeline's own."""
    numbers = []
    for found in definition.objects.values():
        if found.text("maxActiveInstances") and (found.id == DEFAULT or found.origin("maxActiveInstances") == found.id):
            text = found.text("maxActiveInstances") or ""
            if text.isdigit():
                numbers.append(int(text))
            draft.ledger.note(found, "maxActiveInstances", "`max_active_runs` of the DAG.")
    return max(numbers, default=1 if is_triggered else 5)


def _default_args(draft: Draft) -> dict[str, Any]:
    default = draft.definition.objects.get(DEFAULT)
    retries, delay = DEFAULT_RETRIES, DEFAULT_RETRY_DELAY
    if default is not None:
        said = default.text("maximumRetries")
        retries = int(said) if said and said.isdigit() else retries
        said_delay = default.text("retryDelay")
        if said_delay and "#{" not in said_delay:
            delay = draft.period(_as_activity(default), "retryDelay") or delay
    return {"retries": retries, "retry_delay": delay}


def _as_activity(default: PipelineObject) -> PipelineObject:
    """Default has no type of its own; its fields are those of what inherits them."""
    return replace(default, fields={**default.fields, "type": ("ShellCommandActivity",)})


def _note_schedule(draft: Draft, words: str, is_triggered: bool) -> None:
    plan, ledger = draft.plan, draft.ledger
    schedule = draft.definition.objects.get(plan.schedule_id)
    if schedule is None:
        return
    ledger.note(schedule, "period", f"The DAG runs {words}.")
    ledger.note(schedule, "occurrences", "`end_date` of the DAG, or one run.")
    ledger.note(schedule, "endDateTime", "`end_date` of the DAG: the start of the last interval.")
    ledger.note(schedule, "startDateTime", "`start_date` of the DAG.")
    if plan.start is None and not is_triggered and draft.options.start is None:
        ledger.decide(
            schedule,
            "startAt",
            "Data Pipeline counts from the first activation, which the definition does not have: translate again with "
            "--start, or with --id, which asks the account.",
        )
    elif is_triggered:
        ledger.note(schedule, "startAt", "Activating the pipeline is triggering the DAG.")
    else:
        ledger.note(schedule, "startAt", "`start_date` of the DAG.")


def _declare(draft: Draft) -> None:
    """Keeps the parameters and variables that the DAG's templates name, as DAG parameters and as variables to make."""
    texts = "\n".join([*draft.dag.strings(), *draft.files.values()])
    parameters = {
        parameter.name: parameter
        for parameter in draft.definition.parameters.values()
        if parameter.values and not parameter.is_secret and f"params.{parameter.name}" in texts
    }
    if parameters:
        draft.dag.arguments["params"] = {
            name: Call(
                draft.airflow.param,
                "Param",
                {
                    "default": (value := number(parameter, parameter.values[0])),
                    "type": "integer" if isinstance(value, int) else "number" if isinstance(value, float) else "string",
                    **({"enum": [number(parameter, item) for item in parameter.allowed]} if parameter.allowed else {}),
                    **({"description": parameter.description} if parameter.description else {}),
                },
            )
            for name, parameter in parameters.items()
        }
    if "pendulum.instance(" in texts:
        draft.dag.arguments["user_defined_macros"] = {"pendulum": Code("pendulum")}
    for parameter_id, variable in draft.runtime.variables.items():
        parameter = draft.definition.parameters[parameter_id]
        if f"var.value.{variable}" in texts:
            described = parameter.description or f"Data Pipeline's parameter `{parameter.id}`."
            draft.variables[variable] = Variable(variable, described, parameter.is_secret)


def _between_schedules(definition: Definition, ledger: Ledger) -> None:
    """Notes dependencies between activities of different schedules, which are in different DAGs."""
    plans = {activity.id: schedules.plan(definition, activity) for activity in dependencies.activities(definition)}
    for activity, others in dependencies.upstream(definition).items():
        for other in others:
            if plans[activity] != plans[other]:
                ledger.decide(
                    activity,
                    "dependsOn",
                    f"{other} has another schedule and is in another DAG: say which of its runs this one waits for "
                    "(ExternalTaskSensor, or an asset).",
                )


def _translation(definition: Definition, folder: str, drafts: Sequence[Draft], ledger: Ledger) -> Translation:
    files: dict[str, str] = {}
    variables: dict[str, Variable] = {}
    connections: dict[str, Connection] = {}
    requirements: set[str] = set()
    for draft in drafts:
        files[f"{draft.dag.dag_id}.py"] = draft.dag.source()
        files |= draft.files
        variables |= draft.variables
        connections |= draft.connections
        requirements |= draft.requirements
    found = Translation(
        definition=definition,
        dag_ids=tuple(draft.dag.dag_id for draft in drafts),
        folder=folder,
        files=files,
        notes=tuple(ledger.notes),
        plans=tuple(draft.plan for draft in drafts),
        variables=tuple(variables.values()),
        connections=tuple(connections.values()),
        requirements=tuple(sorted({"apache-airflow-providers-amazon", *requirements})),
    )
    files["requirements.txt"] = "\n".join(found.requirements) + "\n"
    if variables:
        files["variables.json"] = (
            json.dumps({name: item.value or "" for name, item in variables.items()}, indent=2) + "\n"
        )
    if connections:
        files["connections.json"] = json.dumps(_connections(connections), indent=2) + "\n"
    files["PIPELINE.md"] = page.render(found, drafts[0].options)
    return found


def _connections(connections: Mapping[str, Connection]) -> dict[str, Any]:
    """The connections as `airflow connections import` takes them, each with a password to fill in."""
    return {
        conn_id: {
            "conn_type": item.conn_type,
            "host": item.host,
            "port": item.port,
            "schema": item.schema,
            "login": item.login,
            "password": "",
            "extra": dict(item.extra) or None,
        }
        for conn_id, item in connections.items()
    }
