"""What would become of an input: its plan, and all its problems. Reads, and changes nothing.

The plan function decides by it, and the command line's dry run shows it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import EndpointConnectionError

from migration.airflow import pausing, versions
from migration.airflow.cli import MANY_TOGETHER
from migration.aws import clients
from migration.environments import environment, requests
from migration.errors import RegionUnsupported
from migration.json_schema import Problem
from migration.model import Migration
from migration.plan import (
    dag_count,
    exchange_access,
    execution_roles,
    migration_input,
    migration_plan,
    network,
    preconditions,
    scheduler_heartbeat,
    target_size,
)
from migration.plan.migration_plan import Attempt


class Outlook(NamedTuple):
    """`source` and `target`, which is None unless it is there, are GetEnvironment's answers.

    `plan` is None where there is no source to plan with, or no target to adopt.
    """

    source: dict[str, Any] | None
    target: dict[str, Any] | None
    plan: Migration | None
    problems: list[Problem]


def look(document: dict[str, Any], attempt: Attempt) -> Outlook:
    """Looks at what an input (`document`, valid and complete) names."""
    region = attempt.region
    source_region, target_region = migration_input.regions(document, region)
    import_version = document["options"]["importVersion"] or attempt.import_version
    try:
        source = _environment(source_region, document["source"]["environment"], "source.region")
        target = _environment(target_region, document["target"]["environment"], "target.region")
    except RegionUnsupported as error:
        path, _, message = str(error).partition(": ")
        return Outlook(None, None, None, [Problem(RegionUnsupported.__name__, path, message)])
    shape = requests.input_shape(clients.mwaa(target_region), "CreateEnvironment")
    found = list(
        preconditions.environment_problems(
            document, region, import_version, source, target, attempt.migration_id, shape
        )
    )
    adopts = migration_input.adopts(document)
    if source is None or (adopts and target is None):
        return Outlook(source, target, None, found)
    if scheduler_heartbeat.is_silent(clients.cloudwatch(source_region), source["Name"]):
        found.append(preconditions.scheduler_down(source["Name"]))
    if any(problem.path.startswith("target.overrides") for problem in found):
        # Places come from the overrides, and those cannot be read.
        return Outlook(source, target, None, found)
    if adopts and target is not None:
        document = {**document, "target": {**document["target"], "airflowVersion": target["AirflowVersion"]}}
    count = functools.cache(lambda: dag_count.of(clients.cloudwatch(source_region), source["Name"]))
    size = target_size.of(document, source, count)
    plan = migration_plan.make(attempt, document, source, size, target if adopts else None)
    settings = target if adopts and target is not None else source | plan["overrides"]
    plan["notes"] += _notes(plan, source, settings, region, count)
    s3 = {side: clients.s3(side) for side in (source_region, target_region)}
    found += preconditions.place_problems(plan, s3)
    found += execution_roles.problems(plan, clients.iam())
    if "NetworkConfiguration" in plan["overrides"] and not adopts:
        found += network.problems(plan["overrides"]["NetworkConfiguration"], clients.ec2(target_region))
    return Outlook(source, target, plan, found)


def _notes(
    plan: Migration,
    source: dict[str, Any],
    target: dict[str, Any],
    bucket_region: str,
    count: Callable[[], int | None],
) -> Iterator[str]:
    """Sentences for the plan: how long the cut-over takes, what the SDK leaves out, what may keep tasks from S3.

    `target` has the settings that the target has, or is to get.
    """
    final = plan["target"]["airflowVersion"]
    if versions.parse(final) < MANY_TOGETHER:
        yield pausing.duration_note(final, count())
    unread = environment.unread_fields(clients.mwaa(plan["source"]["region"]), source["Name"])
    if unread:
        yield (
            f"The source has {', '.join(unread)}, which this AWS SDK ({boto3.__version__}) does not know and leaves "
            "out: set it in the target by hand, or update the SDK."
        )
    for side, settings in ((plan["source"], source), (plan["target"], target)):
        access = exchange_access.Access(
            environment=side["environment"],
            region=side["region"],
            role=side["executionRoleArn"],
            subnets=settings.get("NetworkConfiguration", {}).get("SubnetIds", []),
            artifact=plan["artifact"].removeprefix("s3://"),
            bucket_region=bucket_region,
        )
        yield from exchange_access.notes(access, clients.ec2(side["region"]))


def _environment(region: str, name: str, path: str) -> dict[str, Any] | None:
    """The environment, or None. Raises RegionUnsupported where the region has no Amazon MWAA."""
    try:
        return environment.get(clients.mwaa(region), name)
    except EndpointConnectionError as error:
        # Only explains: the SDK's list may lack the newest region, whose endpoint answers.
        if region in clients.regions_of_mwaa():
            raise
        raise RegionUnsupported(
            f"{path}: Amazon MWAA has no endpoint in {region}; choose one of {', '.join(clients.regions_of_mwaa())}"
        ) from error
