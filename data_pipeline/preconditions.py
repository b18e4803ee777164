"""Preconditions: sensors in front of what waits for them."""

# bandit (nosec B608): what looks like statements built from input is the text of the user's own DAG.

from __future__ import annotations

from typing import Any

from . import databases
from .activities import shell
from .alarms import callbacks
from .dag_file import Task
from .draft import Draft
from .model import PipelineObject
from .naming import identifier
from .periods import Period

_S3_SENSOR = ("airflow.providers.amazon.aws.sensors.s3", "S3KeySensor")
_SQL_SENSOR = ("airflow.providers.common.sql.sensors.sql", "SqlSensor")
_POKE_INTERVAL = Period(1, "minute")


def sensors(draft: Draft, node: PipelineObject, activity: PipelineObject, setups: list[str]) -> list[str]:
    """Adds a task for each precondition of an activity, or of a data node of it, and returns their names.

    `setups` are the tasks that make the activity's resource, which commands run on.
    """
    return [_sensor(draft, found, node, activity, setups) for found in draft.referred(node, "precondition")]


def _sensor(
    draft: Draft, found: PipelineObject, node: PipelineObject, activity: PipelineObject, setups: list[str]
) -> str:
    name = draft.name(found)
    if name in draft.dag.tasks:
        name = draft.names.unique(f"{name}_{identifier(node.name)}")
    waits = _waits(draft, found)
    if found.type == "ShellCommandPrecondition":
        task = _command(draft, found, node, activity, name, setups)
    else:
        task = _task(draft, found, node, name, waits)
    extra = callbacks(draft, found)
    (task.arguments if task.module else task.override).update(extra)
    draft.dag.add(task)
    draft.ledger.note(node, "precondition", f"`{name}` waits for it.")
    draft.ledger.dropped(found, "role", "The environment's role makes the check: allow it to.")
    return name


def _waits(draft: Draft, found: PipelineObject) -> dict[str, Any]:
    """How a sensor waits: without keeping a worker, as often as the definition says, as long as it says."""
    delay, limit = draft.period(found, "retryDelay"), draft.period(found, "preconditionTimeout")
    arguments: dict[str, Any] = {"mode": "reschedule", "poke_interval": (delay or _POKE_INTERVAL).seconds}
    draft.ledger.note(found, "retryDelay", "`poke_interval` of the sensor.")
    if limit is not None:
        arguments["timeout"] = limit.seconds
        draft.ledger.note(found, "preconditionTimeout", "`timeout` of the sensor.")
    else:
        draft.ledger.differs(
            found, "", "The sensor waits for seven days at most, Airflow's own limit: the definition has none."
        )
    return arguments


def _task(draft: Draft, found: PipelineObject, node: PipelineObject, name: str, waits: dict[str, Any]) -> Task:
    if found.type == "S3KeyExists":
        return _of_key(draft, found, node, name, waits, "s3Key", wildcard=False)
    if found.type == "S3PrefixNotEmpty":
        return _of_key(draft, found, node, name, waits, "s3Prefix", wildcard=True)
    if found.type in ("DynamoDBTableExists", "DynamoDBDataExists"):
        table = draft.text(found, "tableName", node)
        draft.ledger.note(found, "tableName", "The table that the sensor asks for.")
        function = "table_exists" if found.type == "DynamoDBTableExists" else "table_has_items"
        return Task(name, "", function, {"table_name": table.jinja if table else ""}, override=waits)
    return _of_node(draft, found, node, name, waits)


def _command(
    draft: Draft,
    found: PipelineObject,
    node: PipelineObject,
    activity: PipelineObject,
    name: str,
    setups: list[str],
) -> Task:
    """A command is asked again where it fails, as a sensor would ask."""
    file = shell.script_file(draft, found, name, node)
    task = shell.run_script(draft, found, name, file, setups, host=activity)
    limit = draft.period(found, "preconditionTimeout") or Period(1, "hour")
    delay = draft.period(found, "retryDelay") or _POKE_INTERVAL
    task.arguments |= {"retries": max(limit.seconds // delay.seconds, 1), "retry_delay": delay}
    draft.ledger.differs(found, "", "The command is a task that is tried again until its `retries` are used up.")
    return task


def _of_key(
    draft: Draft,
    found: PipelineObject,
    node: PipelineObject,
    name: str,
    waits: dict[str, Any],
    field: str,
    *,
    wildcard: bool,
) -> Task:
    text = draft.text(found, field, node)
    arguments: dict[str, Any] = {"bucket_key": f"{text.jinja if text else ''}{'*' if wildcard else ''}"}
    if wildcard:
        arguments["wildcard_match"] = True
    draft.ledger.note(found, field, "`bucket_key` of an S3KeySensor.")
    return Task(name, *_S3_SENSOR, {**arguments, **waits})


def _of_node(draft: Draft, found: PipelineObject, node: PipelineObject, name: str, waits: dict[str, Any]) -> Task:
    """Exists: what it looks for depends on the data node that has it."""
    if node.type == "S3DataNode":
        path, directory = draft.text(node, "filePath"), draft.text(node, "directoryPath")
        if path is not None:
            return Task(name, *_S3_SENSOR, {"bucket_key": path.jinja, **waits})
        prefix = f"{(directory.jinja if directory else '').rstrip('/')}/*"
        return Task(name, *_S3_SENSOR, {"bucket_key": prefix, "wildcard_match": True, **waits})
    if node.type == "DynamoDBDataNode":
        table = draft.text(node, "tableName")
        return Task(name, "", "table_exists", {"table_name": table.jinja if table else ""}, override=waits)
    if node.type in ("SqlDataNode", "MySqlDataNode"):
        table, database = draft.text(node, "table"), draft.referred(node, "database")
        conn_id = databases.connection(draft, database[0] if database else node)
        sql = f"SELECT count(*) FROM information_schema.tables WHERE table_name = '{table.jinja if table else ''}'"  # nosec B608
        return Task(name, *_SQL_SENSOR, {"conn_id": conn_id, "sql": sql, **waits})
    draft.ledger.decide(
        found, "", f"Write how to tell that {node.id} ({node.type}) exists: for now the check passes at once."
    )
    return Task(name, draft.airflow.empty, "EmptyOperator", {}, comment=f"TODO: wait until {node.name} exists.")
