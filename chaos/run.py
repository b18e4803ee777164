"""One migration with its faults, from a new source to the judgement of what it left."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from chaos import judge
from chaos.faults import Fault
from chaos.injection import Injection
from chaos.world import World, document
from local.aws.responses import AwsError

_STARTS = 3


@dataclass
class Outcome:
    """`status` is the execution's; `broken` are the rules that were broken, as sentences."""

    status: str
    error: str
    seconds: float
    faults: list[str]
    struck: list[str]
    broken: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def migrate(world: World, name: str, faults: list[Fault], way: str | None = None) -> Outcome:
    """Makes a source, migrates it while the faults strike, judges the outcome, and deletes both environments.

    With a `way` the migration is to Airflow 3 (`options.path`).
    """
    source, target = f"old-{name}", f"new-{name}"
    environment = world.make_source(source)
    was = judge.observe(world, environment)
    begun = time.monotonic()
    injection = Injection(world.aws, faults, environment, target)
    try:
        ended, migration = execute(world, injection, source, target, way)
    finally:
        injection.stop()
    status = ended["status"]
    broken = [f"it has not ended after {world.patience:.0f} s"] if status == "RUNNING" else []
    if not broken:
        broken = judge.broken_rules(world, was, target, migration, succeeded=status == "SUCCEEDED")
    outcome = Outcome(
        status=status,
        error=ended.get("error") or "",
        seconds=round(time.monotonic() - begun, 1),
        faults=[str(fault) for fault in faults],
        struck=[fault.kind for fault in faults if fault.struck],
        broken=broken,
    )
    world.delete(source, target)
    return outcome


def execute(
    world: World, injection: Injection, source: str, target: str, way: str | None = None
) -> tuple[dict[str, Any], str]:
    """Runs the state machine to its end; returns the description of the last execution, and the migration's id.

    An execution that a fault has aborted is started again, or redriven if that is the fault.
    """
    states = world.aws.client("stepfunctions")
    machine = world.aws.deployed.state_machines["MigrateStateMachine"]
    deadline = time.monotonic() + world.patience
    given = json.dumps(document(source, target, way))
    arn = ""
    for _ in range(_STARTS):
        if injection.redrives:
            states.redrive_execution(executionArn=arn)
        else:
            arn = states.start_execution(stateMachineArn=machine, input=given)["executionArn"]
        injection.execution = arn
        watching = False
        while (ended := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            if time.monotonic() > deadline:
                return ended, _migration(world, target)
            if not watching:
                watching = _watch(world, injection, target)
            time.sleep(0.1)
        if ended["status"] != "ABORTED":
            break
    return ended, _migration(world, target)


def _watch(world: World, injection: Injection, target: str) -> bool:
    try:
        injection.watch_target(world.aws.mwaa.environment(target))
    except AwsError:
        return False
    return True


def _migration(world: World, target: str) -> str:
    """The id that the plan has made from the target's name; empty if there is no plan."""
    pages = (
        world.aws.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=world.exchange, Prefix=f"migrations/{target}-", Delimiter="/")
    )
    return next((item["Prefix"].split("/")[1] for page in pages for item in page.get("CommonPrefixes", [])), "")
