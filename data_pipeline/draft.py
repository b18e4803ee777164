"""A translation under way: the DAG file so far, what lies beside it, and the notes.

How often a failed task is tried again where the definition is silent is an assumption: the reference of Data Pipeline's
objects gives `maximumRetries` and `retryDelay` no default. PIPELINE.md says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import naming, object_reference, periods
from .airflow_names import AirflowNames
from .dag_file import RESERVED, DagFile, Task
from .expressions.scope import Runtime, Scope
from .expressions.values import Text
from .helpers import function_names
from .ledger import Ledger
from .model import Definition, PipelineObject
from .options import Options
from .periods import Period
from .schedules import Plan

#: The assumption: three tries, ten minutes apart.
DEFAULT_RETRIES, DEFAULT_RETRY_DELAY = 2, Period(10, "minute")


@dataclass(frozen=True)
class Variable:
    """An Airflow variable to make; `value` is None for a secret and for what is unknown."""

    name: str
    description: str
    is_secret: bool = False
    value: str | None = None


@dataclass(frozen=True)
class Connection:
    """An Airflow connection to make. Its password is not here: `password_from` says where it comes from."""

    conn_id: str
    conn_type: str
    host: str = ""
    port: int | None = None
    schema: str = ""
    login: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    password_from: str = ""


@dataclass
class Draft:
    """What the translators of activities, resources and preconditions write into.

    `resources` are the ids of the resources that a task runs on, with those tasks; `after` are tasks that stand for an
    object in the order of events: an activity's own, and the sensors that it waits for.
    """

    definition: Definition
    options: Options
    plan: Plan
    dag: DagFile
    runtime: Runtime
    ledger: Ledger
    names: naming.Names = field(default_factory=lambda: naming.Names(RESERVED | set(function_names())))
    files: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)
    requirements: set[str] = field(default_factory=set)
    task_names: dict[str, str] = field(default_factory=dict)

    @property
    def airflow(self) -> AirflowNames:
        return self.dag.names

    def object(self, object_id: str) -> PipelineObject:
        return self.definition.objects[object_id]

    def referred(self, found: PipelineObject, name: str) -> list[PipelineObject]:
        """The objects that a field refers to."""
        known = object_reference.types()[found.type].fields.get(name)
        ids = (*found.references(name), *(found.texts(name) if known == "reference" else ()))
        return [self.definition.objects[object_id] for object_id in ids]

    def texts(self, found: PipelineObject, name: str, node: PipelineObject | None = None) -> tuple[Text, ...]:
        """What a field's texts say; none where it is missing."""
        return Scope(self.definition, found, self.runtime, node).evaluated(name)

    def text(self, found: PipelineObject, name: str, node: PipelineObject | None = None) -> Text | None:
        """What a field's first text says."""
        return next(iter(self.texts(found, name, node)), None)

    def said(self, found: PipelineObject, raw: str) -> Text:
        """What a text says that stands in an object."""
        return next(iter(Scope(self.definition, found, self.runtime).texts(raw)), Text(()))

    def with_runtime(self, runtime: Runtime) -> Draft:
        """The same draft where the run's values have other names, as in a callback."""
        return replace(self, runtime=runtime)

    def fixed(self, found: PipelineObject, name: str, otherwise: str | None = None) -> str | None:
        """A field's text where Python needs it when the file is read; a parameter without value is to be decided."""
        text = self.text(found, name)
        if text is None:
            return otherwise
        if text.fixed is None:
            value = "nothing" if otherwise is None else otherwise
            raw = found.text(name)
            self.ledger.decide(
                found, name, f"`{raw}` has no value, and the DAG file must have one: {value} is written."
            )
            return otherwise
        return text.fixed.strip()

    def period(self, found: PipelineObject, name: str) -> Period | None:
        """A field's period."""
        text = self.fixed(found, name)
        if text is None:
            return None
        return periods.parse(f"{text} hours" if text.isdigit() else text)

    def number(self, found: PipelineObject, name: str, otherwise: int | None = None) -> int | None:
        """A field's whole number."""
        text = self.fixed(found, name, None if otherwise is None else str(otherwise))
        return None if text is None else int(text)

    def truth(self, found: PipelineObject, name: str, otherwise: bool = False) -> bool:
        """A field's boolean."""
        text = self.fixed(found, name, "true" if otherwise else "false")
        return (text or "").lower() == "true"

    def name(self, found: PipelineObject, prefix: str = "") -> str:
        """The name of an object's task, always the same; with a prefix, of a task that serves it."""
        key = f"{prefix}:{found.id}"
        if key not in self.task_names:
            base = naming.identifier(found.name, naming.identifier(found.id))
            wanted = f"{prefix}_{base}" if prefix else base
            self.task_names[key] = self.names.unique(wanted, naming.identifier(found.id))
        return self.task_names[key]

    def file(self, name: str, content: str) -> str:
        """Puts a file beside the DAG and returns its name."""
        self.files[name] = content if content.endswith("\n") else f"{content}\n"
        return name

    def variable(self, suffix: str, description: str) -> str:
        """The template that reads a variable of this DAG, which is listed among those to make."""
        name = f"{self.dag.dag_id}_{suffix}"
        self.variables.setdefault(name, Variable(name, description))
        return f"{{{{ var.value.{name} }}}}"

    def add(self, task: Task, found: PipelineObject, after: Iterable[str] = ()) -> Task:
        """Adds a task that does an object's work, with the object's retries and time-outs."""
        common = attempts(self, found)
        if task.module:
            task.arguments |= common
        else:
            task.override |= common
        return self.dag.add(task, after)


def attempts(draft: Draft, found: PipelineObject) -> dict[str, Any]:
    """How often a task is tried and how long a try may take, where the DAG's defaults do not say it already."""
    arguments: dict[str, Any] = {}
    retries, delay = retries_of(draft, found), delay_of(draft, found)
    if retries != draft.dag.arguments["default_args"]["retries"]:
        arguments["retries"] = retries
    if delay != draft.dag.arguments["default_args"]["retry_delay"]:
        arguments["retry_delay"] = delay
    timeout = draft.period(found, "attemptTimeout")
    if timeout is not None:
        arguments["execution_timeout"] = timeout
        draft.ledger.note(found, "attemptTimeout", f"`execution_timeout` of {timeout} for each try.")
    return arguments


def note_assumptions(ledger: Ledger, activities: Sequence[PipelineObject]) -> None:
    """Notes which of the two defaults a definition's activities need."""
    assumed = {
        "maximumRetries": f"`retries={DEFAULT_RETRIES}`",
        "retryDelay": f"`retry_delay` of {DEFAULT_RETRY_DELAY}",
    }
    silent = [text for name, text in assumed.items() if not all(activity.text(name) for activity in activities)]
    if silent:
        ledger.differs(
            "",
            "",
            f"{' and '.join(silent)} in `default_args`: an assumption. The definition does not say it, and Data "
            "Pipeline's reference gives no default. Compare with what your pipeline did.",
        )


def retries_of(draft: Draft, found: PipelineObject) -> int:
    retries = draft.number(found, "maximumRetries")
    if retries is not None:
        draft.ledger.note(found, "maximumRetries", f"`retries={retries}`.")
    return DEFAULT_RETRIES if retries is None else retries


def delay_of(draft: Draft, found: PipelineObject) -> Period:
    delay = draft.period(found, "retryDelay")
    if delay is not None:
        draft.ledger.note(found, "retryDelay", f"`retry_delay` of {delay}.")
    return delay or DEFAULT_RETRY_DELAY
