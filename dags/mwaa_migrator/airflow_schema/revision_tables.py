"""Which tables Airflow's database has, by Alembic revision. A test holds this to the databases of all releases."""

from __future__ import annotations

from typing import Container, FrozenSet, NamedTuple, Sequence, Set

from mwaa_migrator.airflow_schema.tables import reason_not_exported


class _Release(NamedTuple):
    """The tables that are there at ``revision``, or no more, and were not at the revision before."""

    revision: str
    made: Sequence[str]
    dropped: Sequence[str] = ()


#: Oldest first. Left out are the tables of Flask and FAB, which come with a provider.
_RELEASES = (
    # 1.10.12
    _Release(
        "da3f683c3a5a",
        (
            "chart", "connection", "dag", "dag_code", "dag_pickle", "dag_run", "dag_tag", "import_error", "job",
            "known_event", "known_event_type", "kube_resource_version", "kube_worker_uuid", "log",
            "rendered_task_instance_fields", "serialized_dag", "sla_miss", "slot_pool", "task_fail", "task_instance",
            "task_reschedule", "users", "variable", "xcom",
        ),
    ),
    # 2.0
    _Release(
        "2e42bb497a22",
        ("sensor_instance",),
        ("chart", "known_event", "known_event_type", "kube_resource_version", "kube_worker_uuid", "users"),
    ),
    # 2.2
    _Release("7b2661a43ba3", ("trigger",)),
    # 2.4
    _Release(
        "e07f49787c9d",
        (
            "callback_request", "dag_owner_attributes", "dag_schedule_dataset_reference", "dag_warning",
            "dagrun_dataset_event", "dataset", "dataset_dag_run_queue", "dataset_event", "log_template", "task_map",
            "task_outlet_dataset_reference",
        ),
        ("sensor_instance",),
    ),
    # 2.5
    _Release("290244fb8b83", ("dag_run_note", "task_instance_note")),
    # 2.10
    _Release(
        "5f2621c13b39",
        (
            "dag_priority_parsing_request", "dag_schedule_dataset_alias_reference", "dataset_alias",
            "dataset_alias_dataset", "dataset_alias_dataset_event", "task_instance_history",
        ),
    ),
    # 3.0
    _Release(
        "fe199e1abd77",
        (
            "asset", "asset_active", "asset_alias", "asset_alias_asset", "asset_alias_asset_event",
            "asset_dag_run_queue", "asset_event", "asset_trigger", "backfill", "backfill_dag_run", "dag_bundle",
            "dag_schedule_asset_alias_reference", "dag_schedule_asset_name_reference", "dag_schedule_asset_reference",
            "dag_schedule_asset_uri_reference", "dag_version", "dagrun_asset_event", "deadline",
            "task_outlet_asset_reference",
        ),
        (
            "dag_pickle", "dag_schedule_dataset_alias_reference", "dag_schedule_dataset_reference",
            "dagrun_dataset_event", "dataset", "dataset_alias", "dataset_alias_dataset", "dataset_alias_dataset_event",
            "dataset_dag_run_queue", "dataset_event", "sla_miss", "task_fail", "task_outlet_dataset_reference",
        ),
    ),
    # 3.2
    _Release(
        "1d6611b6ab7c",
        (
            "asset_partition_dag_run", "asset_watcher", "callback", "dag_bundle_team", "dag_favorite",
            "deadline_alert", "hitl_detail", "hitl_detail_history", "partitioned_asset_key_log", "revoked_token",
            "task_inlet_asset_reference", "team",
        ),
        ("asset_trigger", "callback_request"),
    ),
    # 3.3
    _Release("d2f4e1b3c5a7", ("asset_state_store", "connection_test_request", "task_state_store")),
)  # fmt: skip


class RevisionTables(NamedTuple):
    """
    ``there`` are tables that a database certainly has, and ``gone`` those that an earlier Airflow had. Of others
    nothing is known: the revision lies between two releases, or is later than the newest.
    """

    there: FrozenSet[str]
    gone: FrozenSet[str]

    @property
    def with_history(self) -> FrozenSet[str]:
        return frozenset(name for name in self.there if reason_not_exported(name) is None)


def revision_tables(revision: str, applied: Container[str]) -> RevisionTables:
    """The tables of a database at ``revision`` that has been through the revisions ``applied``."""
    newest = max((at for at, release in enumerate(_RELEASES) if release.revision in applied), default=-1)
    there: Set[str] = set()
    gone: Set[str] = set()
    for release in _RELEASES[: newest + 1]:
        there = there.difference(release.dropped).union(release.made)
        gone = gone.union(release.dropped).difference(release.made)
    if newest >= 0 and _RELEASES[newest].revision != revision:
        # On the way to the next release, its migrations may have dropped some already.
        for release in _RELEASES[newest + 1 : newest + 2]:
            there.difference_update(release.dropped)
    return RevisionTables(frozenset(there), frozenset(gone))
