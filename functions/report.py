"""Report: `report.json` in the exchange bucket, and a notification that says how it ended."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from migration import clients, environment, errors, reporting, runs, settings
from migration.observability import logger, metrics, state
from migration.planning import Migration
from migration.store import of_artifact, of_attempt


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"migration", "failure", "rollBackFailure"}` (empty: none) -> `{"status", "key", "downtimeSeconds"}`."""
    migration = event["migration"]
    artifact, store = of_artifact(clients.s3(), migration), of_attempt(clients.s3(), migration)
    results = {name: artifact.read(f"{name}.json") or {} for name in ("quiesce", "drain", "export", "import", "verify")}
    report = reporting.make(
        migration,
        failure=reporting.failure_of(event["failure"]),
        roll_back_failure=reporting.failure_of(event["rollBackFailure"]),
        phases=store.phases(),
        results=results,
        logs=store.read("logs.json"),
        dags=_dags(migration, results),
        notes=(store.read("settings.json") or {}).get("notes", []),
    )
    # A roll back by hand leaves the report of the migration that it takes back.
    key = store.write("roll_back_report.json" if migration["rollBack"] else "report.json", report)
    metrics.add_metric(name="DowntimeSeconds", unit=MetricUnit.Seconds, value=report["downtime_seconds"])
    clients.sns().publish(
        TopicArn=settings.topic_arn(),
        Subject=reporting.subject(report),
        Message=reporting.message(report, f"s3://{migration['bucket']}/{key}"),
    )
    logger.info("reported", extra={"status": report["status"], "key": key})
    return {"status": report["status"], "key": key, "downtimeSeconds": report["downtime_seconds"]}


def _dags(migration: Migration, results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """DAGs in the source and in the target, and the target's import errors; None where nobody can be asked."""
    target = migration["target"]
    found = environment.get(clients.mwaa(target["region"]), target["environment"])
    parsed = broken = None
    if found is not None and found["Status"] == "AVAILABLE":
        cli = runs.final_cli(migration, found["AirflowVersion"])
        try:
            parsed, broken = cli.dags(), cli.import_errors()
        except errors.MigrationError as error:
            # Both commands parse the DAG folder on 2.x and may take longer than a web server waits. A migration that
            # went well must not end badly for want of two numbers.
            logger.warning("the target's DAGs are not in the report", extra={"error_message": str(error)})
    ours = set(runs.DAGS)
    return {
        # The export takes the pause state of each of the user's DAGs, a row each.
        "source": results["export"].get("tables", {}).get("dag", {}).get("rows"),
        "parsed_in_target": None if parsed is None else len([dag for dag in parsed if dag["dag_id"] not in ours]),
        "import_errors": broken,
    }
