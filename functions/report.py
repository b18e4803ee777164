"""Report: as data, as a page and as a summary in the exchange bucket, and a notification that says how it ended.

A migration that went well must not end badly because of its report: where the bucket does not take it the notification
carries what matters, and where nobody can be notified it lies in the bucket. The log has it in both cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import ClientError

from migration import errors, phase_names, settings
from migration.airflow import our_dags, path, runs
from migration.aws import clients
from migration.aws.client_errors import is_transient
from migration.checks import check_results
from migration.environments import environment
from migration.exchange import layout
from migration.exchange.store import Store, of_artifact, of_attempt, of_bucket, of_migration
from migration.failure import failure_of
from migration.model import Migration, Phase
from migration.observability import logger, metrics
from migration.report import contents, judging, left_behind, notification, price, whole_history
from migration.report.price import Price
from migration.report.rehearsal_history import History, Rehearsal
from migration.state import state
from migration.wording import counted, listed


@dataclass(frozen=True, kw_only=True)
class Reported:
    """`key` is None where the bucket has refused the report."""

    status: str
    verdict: str
    key: str | None
    downtime_seconds: float


@state
def handler(
    *,
    migration: Migration,
    failure: dict[str, str],
    roll_back_failure: dict[str, str],
    unchecked: list[dict[str, str]],
) -> Reported:
    """Failures are empty where there is none; `unchecked` has those of states that check."""
    artifact, store = of_artifact(clients.s3(), migration), of_attempt(clients.s3(), migration)
    results = {task: artifact.read(layout.result(task)) or {} for task in ("quiesce", "drain")}
    shared, whole = of_migration(clients.s3(), migration), of_bucket(clients.s3(), migration)
    results |= whole_history.results(migration, artifact, shared, whole)
    results["versions"] = artifact.read(layout.result("import", layout.VERSIONS)) or {}
    results["cut over"] = store.read(layout.CUT_OVER) or {}
    target = migration["target"]
    found = environment.get(clients.mwaa(target["region"]), target["environment"])
    phases = store.phases()
    report = contents.make(
        migration,
        failure=failure_of(failure),
        roll_back_failure=failure_of(roll_back_failure),
        phases=phases,
        results=results,
        logs=store.read(layout.LOGS),
        dags=_dags(migration, found, results),
        cost=_cost(migration, found, phases),
        checked=check_results.read(store) + contents.unchecked(unchecked),
        notes=[
            *_notes(store, results["cut over"]),
            *left_behind.notes(results, upgraded=_is_upgraded_to_3(migration, phases)),
        ],
    )
    report["verdict"] = judging.verdict(report)
    if report["mode"] == "rehearse":
        report["rehearsals"] = _remember(History(clients.s3(), migration), report)
    metrics.add_metric(name="DowntimeSeconds", unit=MetricUnit.Seconds, value=report["downtime_seconds"])
    written = _write(store, report)
    place, link = _places(written, migration["bucket"])
    is_notified = _notify(notification.subject(report), notification.message(report, place, link))
    if written is None and not is_notified:
        raise errors.ReportNotWritten(
            f"The bucket {migration['bucket']} refused the report of {migration['id']} and the topic the notification. "
            "The log of the report function has the report; correct the policies of the bucket, the topic and their "
            "key."
        )
    logger.info("reported", extra={"status": report["status"], "verdict": report["verdict"], "key": written})
    return Reported(
        status=report["status"],
        verdict=report["verdict"],
        key=written,
        downtime_seconds=report["downtime_seconds"],
    )


def _notes(store: Store, cut_over: dict[str, Any]) -> list[str]:
    """What earlier states have noted for the reader."""
    notes: list[str] = (store.read(layout.CREATION) or {}).get("notes", [])
    if cut_over.get("reason"):
        notes.append(
            "The target's DAGs were unpaused by commands of Airflow, because the run that does it in the database did "
            f"not: {cut_over['reason']}"
        )
    if cut_over.get("unknown"):
        notes.append(
            f"{counted(len(cut_over['unknown']), 'DAG')} of those that were active in the source "
            f"{'is' if len(cut_over['unknown']) == 1 else 'are'} unknown in the target and did not start there: "
            f"{listed(cut_over['unknown'], 20)}. Look at the target's import errors."
        )
    if not cut_over.get("sourceSeenPaused", True):
        notes.append(
            "Whether the source's DAGs were still paused at the cut-over could not be seen through its CLI. Look at "
            "its web server: a DAG that is active there runs in both environments."
        )
    return notes


def _is_upgraded_to_3(migration: Migration, phases: list[Phase]) -> bool:
    """Whether the target came to Airflow 3 with its history, by an upgrade in place."""
    ended = {phase["name"] for phase in phases if phase["ended"]}
    return any(path.is_at_airflow_3(version) and phase_names.hop_to(version) in ended for version in migration["hops"])


def _remember(history: History, report: dict[str, Any]) -> list[Rehearsal]:
    """Adds this rehearsal to the history. Returns those before it; none where the bucket refuses them."""
    try:
        earlier = history.earlier()
        history.add(report, report["verdict"])
    except ClientError as error:
        logger.warning("the history of rehearsals was not written", extra={"error_message": str(error)})
        if is_transient(error):
            raise
        return []
    return earlier


def _write(store: Store, report: dict[str, Any]) -> str | None:
    """The key of the report's JSON, beside which its other forms lie; None where the bucket refuses it."""
    # Imported here, because every function is packaged with this one and starts without a template engine.
    from migration.report import markdown, page

    by_hand = report["mode"] == "rollback"
    try:
        key = store.write(layout.report("json", by_hand=by_hand), report)
        store.write_text(layout.report("html", by_hand=by_hand), page.render(report), "text/html; charset=utf-8")
        store.write_text(layout.report("md", by_hand=by_hand), markdown.render(report), "text/markdown; charset=utf-8")
    except ClientError as error:
        logger.warning("the report was not written", extra={"error_message": str(error), "report": report})
        if is_transient(error):
            raise
        return None
    return key


def _places(key: str | None, bucket: str) -> tuple[str, str]:
    """Where the page lies, and a link to it for people without access to the bucket; empty where there is none."""
    if key is None:
        return "", ""
    page = f"{key.removesuffix('.json')}.html"
    link = clients.s3_for_links().generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": page}, ExpiresIn=notification.LINK_HOURS * 3600
    )
    return f"s3://{bucket}/{page}", link


def _notify(subject: str, message: str) -> bool:
    """Publishes to the topic. Returns whether it took it; one without subscribers does, and then nobody hears of it."""
    sns, topic = clients.sns(), settings.topic_arn()
    try:
        sns.publish(TopicArn=topic, Subject=subject, Message=message)
        if sns.get_topic_attributes(TopicArn=topic)["Attributes"].get("SubscriptionsConfirmed") == "0":
            logger.warning("nobody has subscribed to the topic", extra={"topic": topic})
    except ClientError as error:
        # Without the notification: its link is as good as a password.
        logger.warning("the topic could not be notified", extra={"error_message": str(error)})
        if is_transient(error):
            raise
        return False
    return True


def _cost(migration: Migration, found: dict[str, Any] | None, phases: list[Phase]) -> Price | None:
    """The price of the target; none of a rollback by hand, whose report has the phases of what it undoes."""
    if migration["rollBack"]:
        return None
    on_the_day = migration["classOnTheDay"]
    return price.of_target(clients.pricing(), found, migration["target"]["region"], phases, on_the_day)


def _dags(migration: Migration, found: dict[str, Any] | None, results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """DAGs in the source and in the target, and the target's import errors; None where nobody can be asked.

    `found` is GetEnvironment's answer for the target.
    """
    parsed = broken = None
    if found is not None and found["Status"] == "AVAILABLE":
        cli = runs.final_cli(migration, found["AirflowVersion"])
        try:
            parsed, broken = cli.dags(), cli.import_errors()
        except errors.MigrationError as error:
            # Both commands parse the DAG folder on 2.x and may take longer than a web server waits. A migration that
            # went well must not end badly for want of two numbers.
            logger.warning("the target's DAGs are not in the report", extra={"error_message": str(error)})
    ours = set(our_dags.OURS)
    return {
        # The export takes the pause state of each of the user's DAGs, a row each.
        "source": results["export"].get("tables", {}).get("dag", {}).get("rows"),
        "parsed_in_target": None if parsed is None else len([dag for dag in parsed if dag["dag_id"] not in ours]),
        "import_errors": broken,
    }
