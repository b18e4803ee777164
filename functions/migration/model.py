"""What travels from state to state: the plan of a migration, its two environments, and its phases."""

from __future__ import annotations

from typing import Any, TypedDict


class Side(TypedDict):
    """An environment as later states need it. `dagsPath` is its DAG folder's prefix in `bucket`."""

    environment: str
    region: str
    airflowVersion: str
    executionRoleArn: str
    bucket: str
    dagsPath: str


class Migration(TypedDict):
    """The plan. It is small and travels through the state machine; what can grow lies in S3.

    `artifact` is the artifact's URL; `artifactId` names it in run ids and policies; `path` has every Airflow version in
    order; `hops` those that the target is upgraded to after the import; `direct` says that the import runs in Airflow
    3, and `wayIn` by which way it may get to the database there: by a plugin only if the target is created with it.
    `adopted` says that the target was there before: it is never updated or deleted. `executionDate` (ISO 8601) is that
    of our runs. `overrides` are the input's and those of a rehearsal's size;
    `targetClass` is the environment class that follows, `classOnTheDay` that of the migration that is rehearsed.
    `notes` are sentences for people: why that class, how long the cut-over takes, what may keep tasks from the
    artifact. `finished` names the phases that an earlier execution of the same attempt has ended; `rollBack` says that
    this execution only takes the migration back.
    """

    id: str
    attempt: int
    mode: str
    artifactId: str
    artifact: str
    bucket: str
    executionDate: str
    source: Side
    target: Side
    adopted: bool
    overrides: dict[str, Any]
    targetClass: str
    classOnTheDay: str
    notes: list[str]
    importVersion: str
    path: list[str]
    hops: list[str]
    direct: bool
    wayIn: str
    options: dict[str, Any]
    finished: list[str]
    rollBack: bool


class Phase(TypedDict):
    """Times are ISO 8601 in UTC; `ended` is None while the phase runs."""

    name: str
    started: str
    ended: str | None
    seconds: float
