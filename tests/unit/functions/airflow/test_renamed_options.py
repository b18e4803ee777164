from __future__ import annotations

import pytest

from migration.airflow import renamed_options, versions
from migration.airflow.renamed_options import needed, translate


@pytest.mark.parametrize(
    ("option", "target", "becomes"),
    [
        ("core.parallelism", "3.2.1", "core.parallelism"),
        ("core.sql_alchemy_pool_size", "2.2.2", "core.sql_alchemy_pool_size"),
        ("core.sql_alchemy_pool_size", "2.3.0", "database.sql_alchemy_pool_size"),
        ("core.dag_concurrency", "2.11.2", "core.max_active_tasks_per_dag"),
        ("scheduler.max_threads", "2.11.2", "scheduler.parsing_processes"),
        ("scheduler.max_threads", "3.2.1", "dag_processor.parsing_processes"),
        ("webserver.secret_key", "2.11.2", "webserver.secret_key"),
        ("webserver.secret_key", "3.2.1", "api.secret_key"),
        ("celery.task_adoption_timeout", "2.11.2", "scheduler.task_queued_timeout"),
        ("custom.option", "3.2.1", "custom.option"),
        ("webserver.instance_name", "3.0.6", "webserver.instance_name"),
        ("webserver.instance_name", "3.3.1", "api.instance_name"),
        ("webserver.warn_deployment_exposure", "3.0.6", "webserver.warn_deployment_exposure"),
        ("webserver.page_size", "3.0.6", "webserver.page_size"),
        ("webserver.page_size", "3.3.1", "api.fallback_page_limit"),
        ("scheduler.running_metrics_interval", "3.3.1", "scheduler.ti_metrics_interval"),
    ],
)
def test_renamed(option: str, target: str, becomes: str) -> None:
    translated, notes = translate({option: "value"}, target)
    assert translated == {becomes: "value"}
    assert notes == ([] if becomes == option else [f"{option} is now {becomes}."])


def test_removed_options_are_left_out_with_what_airflow_suggests() -> None:
    assert translate({"core.check_slas": "True"}, "2.11.2") == ({"core.check_slas": "True"}, [])
    translated, (note,) = translate({"core.check_slas": "True"}, "3.2.1")
    assert translated == {}
    assert "core.check_slas was removed from Airflow and left out. The SLA feature" in note


@pytest.mark.parametrize(("target", "stays"), [("2.11.2", True), ("3.0.6", True), ("3.2.1", False), ("3.3.1", False)])
def test_what_went_after_3_0_stays_until_then(target: str, stays: bool) -> None:
    assert bool(translate({"scheduler.dag_stale_not_seen_duration": "600"}, target).options) is stays


def test_what_goes_only_with_one_value_stays_with_another() -> None:
    assert translate({"core.hostname": ":"}, "3.2.1").options == {}
    assert translate({"core.hostname": "airflow.utils.net.getfqdn"}, "3.2.1").options != {}


def test_a_new_name_that_is_set_wins() -> None:
    both = {"core.dag_concurrency": "old", "core.max_active_tasks_per_dag": "new"}
    assert translate(both, "2.11.2").options == {"core.max_active_tasks_per_dag": "new"}


def test_secrets_backends_of_1_10_are_named_by_their_provider() -> None:
    backend = "airflow.contrib.secrets.aws_secrets_manager.SecretsManagerBackend"
    translated, notes = translate({"secrets.backend": backend}, "2.11.2")
    assert translated == {
        "secrets.backend": "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
    }
    assert len(notes) == 1


def test_values_are_not_in_the_notes() -> None:
    options = {change["option"]: "s3cr3t" for change in renamed_options.changes()}
    assert "s3cr3t" not in " ".join(translate(options, "3.2.1").notes)


def test_every_change_has_a_version_and_leads_out_of_old_names() -> None:
    for change in renamed_options.changes():
        versions.parse(change["since"])
        translated = translate({change["option"]: change.get("if_equals", "x")}, "99.0.0").options
        assert change["option"] not in translated


@pytest.mark.parametrize(
    ("source", "target", "options"),
    [
        ("1.10.12", "2.11.2", {"logging.use_historical_filename_templates", "core.enable_xcom_pickling"}),
        ("1.10.12", "2.11.1", {"core.use_historical_filename_templates", "core.enable_xcom_pickling"}),
        ("1.10.12", "2.8.1", {"core.enable_xcom_pickling"}),
        ("1.10.12", "3.2.1", set()),
        ("2.2.2", "2.11.2", {"logging.use_historical_filename_templates"}),
        ("2.3.0", "2.11.2", set()),
    ],
)
def test_what_old_history_needs(source: str, target: str, options: set[str]) -> None:
    found, notes = needed(source, target)
    assert found == dict.fromkeys(options, "True")
    assert [note.split(" is True, ")[0] for note in notes] == list(found)


@pytest.mark.parametrize(
    ("option", "target", "known"),
    [
        ("core.parallelism", "2.7.2", True),
        ("core.paralelism", "2.7.2", False),
        # Unknown before the release that brought it.
        ("scheduler.task_queued_timeout", "2.11.2", True),
        ("scheduler.task_queued_timeout", "2.4.3", False),
        # Only Airflow 3 has it.
        ("core.execution_api_server_url", "2.11.2", False),
        ("core.execution_api_server_url", "3.2.1", True),
        # Old names are not unknown; what becomes of them, `translate` says.
        ("core.dag_concurrency", "3.2.1", True),
        # Sections of providers and plugins are theirs.
        ("celery.whatever", "3.2.1", True),
        ("my_plugin.option", "2.11.2", True),
        # What 3.x has had for a while.
        ("webserver.warn_deployment_exposure", "3.0.6", True),
        ("core.mp_start_method", "3.0.6", True),
        ("core.mp_start_method", "3.2.1", False),
        ("core.mp_start_method", "3.3.1", True),
        ("core.team_name_cache_ttl", "3.2.1", False),
        ("core.team_name_cache_ttl", "3.3.1", True),
        ("api.instance_name", "3.0.6", False),
        ("api.instance_name", "3.2.1", True),
        # A section of Airflow's that 3.x has no more, and one that is a provider's there.
        ("webserver.auto_refresh", "2.11.2", False),
        ("webserver.auto_refresh", "3.2.1", False),
        ("celery_kubernetes_executor.whatever", "3.2.1", True),
        # A release that the file does not know.
        ("core.paralelism", "4.0.0", True),
    ],
)
def test_unknown(option: str, target: str, known: bool) -> None:
    assert renamed_options.unknown([option], target) == ([] if known else [option])


def test_removed() -> None:
    options = {"core.check_slas": "True", "core.dag_concurrency": "9"}
    assert renamed_options.removed(options, "2.11.2") == {}
    assert list(renamed_options.removed(options, "3.2.1")) == ["core.check_slas"]
