"""A dry run: what a migration would do, by the code that plans it. Nothing is written anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from migration.airflow import pip_requirements, runs
from migration.aws import clients
from migration.environments import adoption, requests, requirements_file
from migration.errors import ResourceMissing
from migration.model import Migration
from migration.plan import migration_input, planning
from migration.plan.migration_plan import Attempt
from migration.times import now
from mwaa_migrator_cli import differences

from . import account
from .account import Stack
from .infrastructure_code import property_lines
from .state_order import STATES

_ARROW = " \N{RIGHTWARDS ARROW} "


def show(document: dict[str, Any], stack: Stack) -> bool:
    """Prints the plan of a valid input. Whether there are no problems."""
    complete = migration_input.with_defaults(document)
    if complete["mode"] == "rollback":
        steps = "pause in the target what the cut-over activated, make the source's DAGs active as they were, report"
        Console().print(Text(f"{complete['migrationId']}: {steps}."))
        return True
    attempt = Attempt(
        migration_id=migration_input.migration_id(complete, "dry-run"),
        number=1,
        bucket=stack.bucket,
        region=account.region(),
        import_version=stack.import_version,
        started=now(),
    )
    outlook = planning.look(complete, attempt)
    console = Console()
    if outlook.plan is not None and outlook.source is not None:
        _print_plan(console, outlook.plan, outlook.source, outlook.target)
    for problem in outlook.problems:
        text = Text(problem.name, style="bold red").append(f" at {problem.path}", style="not bold default")
        console.print(text, Text(f"  {problem.message}"), sep="\n", soft_wrap=True)
    if outlook.problems:
        return False
    console.print(Text("No problems found.", style="bold green"))
    return True


def _print_plan(console: Console, plan: Migration, source: dict[str, Any], target: dict[str, Any] | None) -> None:
    old, new = plan["source"], plan["target"]
    sides = f"{old['environment']} in {old['region']}{_ARROW}{new['environment']} in {new['region']}"
    console.print(Text(f"Airflow {_ARROW.join(plan['path'])}", style="bold"), Text(sides), sep="\n")
    steps = steps_of(plan)
    in_order = [step for state in STATES for step in steps.get(state, [])]
    for number, step in enumerate(in_order, 1):
        console.print(Text(f"{number:>3}. {step}"), soft_wrap=True)
    if plan["adopted"] and target is not None:
        _print_adopted(console, plan, source, target)
        return
    shape = requests.input_shape(clients.mwaa(new["region"]), "CreateEnvironment")
    found, notes = differences.of(plan, source, shape)
    table = Table(title="What differs", title_justify="left", box=None, pad_edge=False)
    for name in ("setting", "source", "target"):
        table.add_column(name, header_style="dim", overflow="fold")
    for difference in found:
        table.add_row(Text(difference.field), _value(difference.source), _value(difference.target))
    console.print(Text(), table)
    for note in notes:
        console.print(Text(f"- {note}"), soft_wrap=True)
    console.print()


def _print_adopted(console: Console, plan: Migration, source: dict[str, Any], target: dict[str, Any]) -> None:
    """Prints what an adopted target has otherwise than expected, with the lines that its owner's code needs."""
    found = adoption.differences(plan, source, target)
    console.print()
    if not found:
        console.print(Text(f"{target['Name']} has every setting as expected."))
    for difference in found:
        console.print(Text(difference.told(target["Name"]), style="bold"), soft_wrap=True)
        for tool, line in property_lines.of(difference):
            console.print(Text(f"    {tool:<15}{line}"), soft_wrap=True)
    for note in [*plan["notes"], *_about_requirements(plan, source, target)]:
        console.print(Text(f"- {note}"), soft_wrap=True)
    console.print()


def _about_requirements(plan: Migration, source: dict[str, Any], target: dict[str, Any]) -> Iterator[str]:
    """What the source's requirements.txt names and an adopted target's does not: nothing is staged for it."""
    if not target.get("RequirementsS3Path"):
        return
    try:
        theirs, ours = (
            requirements_file.text_of(found, side["bucket"], clients.s3(side["region"]))
            for found, side in ((source, plan["source"]), (target, plan["target"]))
        )
    except (ClientError, ResourceMissing) as error:
        yield f"The two requirements.txt could not be compared: {error}"
        return
    lines = pip_requirements.missing(theirs, ours)
    if lines:
        yield f"{target['Name']}'s requirements.txt lacks {', '.join(lines)}, which the source's has."


def steps_of(plan: Migration) -> dict[str, list[str]]:
    """What a migration would do, by the states of the migrate state machine that do it.

    The runs of our DAGs are all of one state; those after the probes are named by the state before or after them.
    """
    target, options = plan["target"], plan["options"]
    logs, days = options["logs"], options["historyDays"]
    groups = ", ".join(logs["groups"])
    since = "all log events" if logs["days"] is None else f"the log events of {logs['days']} days"
    # Which tasks have failed is known after the export, so their logs cannot be copied before.
    early = bool(groups) and not logs["onlyFailed"]
    copy = f"copy {since} of {groups}"
    later = f"copy what {groups} got since then" if early else f"{copy}, of failed task instances only"
    pause = f"pause the source's DAGs and wait up to {options['drainSeconds']} s for running tasks"
    history = f"{days} days of history" if days else "the whole history"
    tested = options["smokeTest"]
    runs_of = f", and run {', '.join(tested)} there" if tested else ""
    checks = [
        f"ask the target which DAGs it cannot import or has not parsed{runs_of}",
        "check the DAGs' code, the requirements and the Airflow options against the target's version",
    ]
    place = f"s3://{target['bucket']}/{target['dagsPath']}"
    made = f"create {target['environment']} at {plan['importVersion']}, its DAGs in {place}"
    if plan["adopted"]:
        dags = "the source's DAGs beside those in" if options["copyDags"] else "only our DAGs added to"
        made = f"take {target['environment']} as it is, with {dags} {place}"
    steps = {
        "CreateEnvironment": [made],
        "TriggerRun": [
            "check the source's database for anything that would stop the export, and estimate time and disk",
            *(["check that the target lets its tasks into its database"] if plan["direct"] else []),
        ],
        "FilesChecked": [f"export {history}, import it and compare every row, while the source's DAGs go on"],
        "CopyLogsEarly": [f"{copy}, while the source's DAGs go on"] if early else [],
        "NextHop": [
            *(["move what has changed since then"] if plan["mode"] == "migrate" and options["baseRefreshes"] else []),
            *([pause] if runs.quiesces(plan) else []),
            "move what has changed since then, and compare every row of it",
        ],
        "UpdateEnvironment": [f"upgrade the target in place to {version}" for version in plan["hops"]],
        "CopyLogs": [later] if groups else [],
        "GiveDagVersions": ["let old task instances of the target be cleared and run again"] if plan["hops"] else [],
    }
    if plan["mode"] == "rehearse":
        # Its checks come at the end, in the states where a migration makes them before its export.
        return steps | {"Mode": checks, "Report": ["report, and delete the target"]}
    if options["checks"] == "enforce":
        checks[1] += "; what fails there and works in the source ends the migration here"
    return steps | {
        "CheckTarget": checks[:1],
        "CheckFiles": checks[1:],
        "CutOver": ["unpause in the target the DAGs that were active in the source, and report"],
    }


def _value(value: Any) -> Text:
    if value is None:
        return Text("\N{EN DASH}", style="dim")
    return Text(value if isinstance(value, str) else json.dumps(value, default=str))
